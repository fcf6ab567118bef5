"""Data files whose headers lie: what they declare is compared with what they hold before memory is taken for it."""

import io
import os
import socket
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from workbench.engine.data.hdf5 import read_hdf5
from workbench.engine.data.npz import DataFileError, load_dataset, read_arrays
from workbench.engine.data.regular import FLOOR

ROWS = 64
COLUMNS = {
    "observations": (ROWS, 2),
    "actions": (ROWS, 2),
    "rewards": (ROWS,),
    "masks": (ROWS,),
    "next_observations": (ROWS, 2),
}
HUGE = 2**26  # rows of 8 bytes: half a GiB a column


def npy(header: str, data: bytes = b"") -> bytes:
    content = header.encode()
    content += b" " * ((64 - (len(content) + 11) % 64) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(content)) + content + data


def plain(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    """A dataset in the plain form, with some members replaced."""
    whole = {name: plain(np.zeros(shape, "f4")) for name, shape in COLUMNS.items()} | members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in whole.items():
            file.writestr(f"{name}.npy", content)
    return path


def header(shape: object = (ROWS, 2), descr: object = "<f4", order: object = False) -> str:
    return f"{{'descr': {descr!r}, 'fortran_order': {order!r}, 'shape': {shape!r}, }}"


@pytest.mark.parametrize(
    "text",
    [
        header(descr=","),
        header(descr=""),
        header(descr="<f4" * 2000),
        header(descr=[("a", "<f4"), ("b", "<i8")]),
        header(descr="<M8[ns]"),
        header(descr="|S8"),
        header(descr=3),
        header(descr="|O"),
        header(shape=(True, 16)),
        header(shape=(-1, 2)),
        header(shape=(10**400, 2)),
        header(shape=(2**62, 2**62)),
        header(shape=5),
        header(shape=(ROWS, 0)),
        header(shape=()),
        header(shape=(1.5, 2)),
        header(shape=(ROWS,) * 70),
        header(order="yes"),
        header().replace("'<f4'", "'''<f4"),
        header()[:-30] + "(" * 9000,
        header()[:-30] + "-" * 9000,
        "{'descr': '<f4', **{}}",
        "__import__('os').mkdir('run-by-a-header')",
        "'" + "\\x" * 40,
        "",
        "[" * 9000 + "]" * 9000,
        "{}",
    ],
)
def test_a_header_that_lies_is_refused_in_words(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "data.npz", observations=npy(text, b"\0" * 512))
    with pytest.raises(DataFileError, match=r"data\.npz: 'observations'") as error:
        load_dataset(path)
    assert len(str(error.value)) < 1000
    assert not (tmp_path / "run-by-a-header").exists()


def test_fortran_order_is_the_same_data(tmp_path: Path) -> None:
    values = np.arange(ROWS * 2, dtype="f4").reshape(ROWS, 2) / 1000
    c = load_dataset(archive(tmp_path / "c.npz", observations=plain(values)))
    f = load_dataset(archive(tmp_path / "f.npz", observations=plain(np.asfortranarray(values))))
    assert c.fingerprint() == f.fingerprint()


def test_rows_are_compared_before_any_array_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "data.npz", rewards=plain(np.zeros(ROWS + 1, "f4")))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("an array was read"))
    with pytest.raises(DataFileError, match="'rewards' has 65 rows but 'actions' has 64"):
        read_arrays(path)


# Each of these declares gigabytes; the address space of the process that reads it has room for far less.
READ = textwrap.dedent("""
    import resource, sys
    from workbench.engine.data.hdf5 import read_hdf5
    from workbench.engine.data.npz import DataFileError, load_dataset
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 2**20,) * 2)
    for path in sys.argv[1:]:
        try:
            (read_hdf5 if path.endswith("hdf5") else load_dataset)(path)
        except DataFileError as error:
            print(error)
""")


def hollow(path: Path, rows: int = HUGE, **more: object) -> Path:
    """Columns that were never written: HDF5 answers with their fill value, of any size."""
    with h5py.File(path, "w") as file:
        for name in ("observations", "actions"):
            file.create_dataset(name, (rows, 1), "f8", chunks=(65536, 1), **more)
        for name in ("rewards", "terminals"):
            file.create_dataset(name, (rows,), "f8", chunks=(65536,), **more)
    return path


def one_great_chunk(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for name in ("observations", "actions"):
            file.create_dataset(name, (8, 1), "f8", chunks=(HUGE, 1), maxshape=(None, 1), compression="gzip")
        for name in ("rewards", "terminals"):
            file.create_dataset(name, (8,), "f8", chunks=(HUGE,), maxshape=(None,))
    return path


def bomb(path: Path, kind: int) -> Path:
    """Half a GiB of zeros in each of two columns, in a few hundred KiB or less."""
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, shape in {"observations": (HUGE, 1), "actions": (HUGE, 1)}.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                member.write(npy(header(shape, "<f8")))
                for _ in range(HUGE * 8 // FLOOR):
                    member.write(bytes(FLOOR))
    return path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_small_files_take_little_memory(tmp_path: Path) -> None:
    paths = [
        hollow(tmp_path / "hollow.hdf5"),
        hollow(tmp_path / "filled.hdf5", fillvalue=1.0),
        hollow(tmp_path / "packed.hdf5", compression="gzip", shuffle=True),
        one_great_chunk(tmp_path / "chunk.hdf5"),
        bomb(tmp_path / "deflated.npz", zipfile.ZIP_DEFLATED),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert len(lines) == len(paths)
    for path, line in zip(paths, lines, strict=True):
        assert path.name in line
        assert "unpacks to" in line or "pieces that are larger" in line
        assert path.stat().st_size < 3 * 2**20


def test_real_compression_passes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = 20_000
    arrays = {
        "observations": generator.normal(size=(rows, 8)).astype("f4"),
        "actions": generator.uniform(-1, 1, size=(rows, 4)).astype("f4"),
        "rewards": np.zeros(rows),  # constant columns shrink a thousandfold
        "terminals": np.arange(rows) % 100 == 99,
    }
    np.savez_compressed(tmp_path / "data.npz", **arrays, next_observations=arrays["observations"])
    assert len(load_dataset(tmp_path / "data.npz")) == rows
    with h5py.File(tmp_path / "data.hdf5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip", shuffle=True)
    assert len(read_hdf5(tmp_path / "data.hdf5")["actions"]) > rows // 2


def with_actions(path: Path, change: object) -> Path:
    with h5py.File(path, "w") as file:
        file["observations"], file["rewards"], file["terminals"] = np.zeros((ROWS, 2)), np.zeros(ROWS), np.zeros(ROWS)
        change(file)  # type: ignore[operator]
    return path


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((ROWS, 2), "f4")
    layout[:] = h5py.VirtualSource("other.hdf5", "actions", (ROWS, 2))
    file.create_virtual_dataset("actions", layout)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.create_dataset("actions", data=h5py.Empty("f4")),
        lambda f: f.create_dataset("actions", data=1.0),
        lambda f: f.create_dataset("actions", (ROWS, 2), [("a", "f4"), ("b", "i8")]),
        lambda f: f.create_dataset("actions", (ROWS, 2), h5py.string_dtype()),
        lambda f: f.create_dataset("actions", (ROWS, 2), h5py.vlen_dtype("f4")),
        lambda f: f.create_dataset("actions", (ROWS, 2), h5py.ref_dtype),
        lambda f: f.create_dataset("actions", (ROWS, 2), "c8"),
        lambda f: f.create_group("actions"),
        lambda f: f.__setitem__("actions", h5py.SoftLink("/observations")),
        lambda f: f.__setitem__("actions", h5py.SoftLink("/actions")),
        lambda f: f.__setitem__("actions", h5py.ExternalLink("other.hdf5", "actions")),
        lambda f: f.create_dataset("actions", (ROWS, 2), "f4", external=[("raw.bin", 0, ROWS * 8)]),
        lambda f: f.create_dataset("actions", (ROWS, 0), "f4"),
        lambda f: f.create_dataset("actions", (0, 2), "f4"),
        lambda f: f.__setitem__("actions", np.dtype("f4")),  # a named type, not an array
        virtual,
    ],
)
def test_odd_hdf5_arrays_are_refused_in_words(tmp_path: Path, change: object) -> None:
    (tmp_path / "raw.bin").write_bytes(bytes(ROWS * 8))
    with_actions(tmp_path / "other.hdf5", lambda f: f.create_dataset("actions", (ROWS, 2), "f4"))
    path = with_actions(tmp_path / "data.hdf5", change)
    with pytest.raises(DataFileError, match=r"data\.hdf5: 'actions'"):
        read_hdf5(path)


@pytest.mark.parametrize("suffix", ["npz", "hdf5"])
@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "device", "loop", "nowhere", "holes", "long"])
def test_only_regular_files_are_read(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"data.{suffix}"
    listener = socket.socket(socket.AF_UNIX)
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "socket":
            here = os.getcwd()
            os.chdir(tmp_path)  # a socket's path must be short
            listener.bind(path.name)
            os.chdir(here)
        case "folder":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to(path)
        case "nowhere":
            path.symlink_to(tmp_path / "gone")
        case "holes":
            path.touch()
            os.truncate(path, 2**33)
        case "long":
            path = tmp_path / f"{'x' * 5000}.{suffix}"
    read = read_hdf5 if suffix == "hdf5" else load_dataset
    with listener, pytest.raises(DataFileError) as error:
        read(path)
    assert len(str(error.value)) < 1000
    assert f".{suffix}" in str(error.value)
