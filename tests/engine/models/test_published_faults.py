"""Weights that are not those of a family, files that are no weights: each is refused with file, key, found, expected and cure."""

import pickle
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from chaos.mutate import mutate
from engine.published_trees import FAMILIES, full_names, nets_of, tree_of
from safetensors.numpy import save_file

from workbench.engine.models.published import load_published
from workbench.engine.words import UserError

SIZES = (4, 2, (8, 6), 3)
FLOWS = {
    "vgf": "agent.actor_bc.params.mlp",
    "qgf": "agent.policy.params.MLP_0",
    "fql": "agent.network.params.modules_actor_bc_flow.mlp",
}


def faults(family: str) -> dict[str, tuple[Any, str]]:
    """By name a change of an archive's arrays, and what the refusal says: key, found, expected."""
    flow = {
        "vgf": "agent.actor_bc.params.mlp",
        "qgf": "agent.policy.params.MLP_0",
        "fql": "agent.network.params.modules_actor_bc_flow.mlp",
    }[family]
    critic = "agent.network.params.modules_critic" if family == "fql" else "agent.critic.params"
    first, second = f"{flow}.Dense_0.kernel", f"{critic}.value_net.Dense_1.kernel"
    return {
        "a layer is missing": ({second: None}, rf"no array named '{second}'"),
        "the last layer is missing": (
            {f"{critic}.value_net.Dense_2.{key}": None for key in ("kernel", "bias")},
            r"takes 6 numbers and gives 6|LayerNorm_0, LayerNorm_1 beside 1 hidden|gives 6",
        ),
        "a bias is missing": ({f"{flow}.Dense_0.bias": None}, rf"no array named '{flow}.Dense_0.bias'"),
        "the flow is missing": ({name: None for name in full_names(family, nets_of(family, SIZES)) if flow in name}, "no array"),
        "an array too many": ({f"{critic}.value_net.Dense_0.extra": np.zeros(3, "f4")}, "Dense_0.extra' is no layer"),
        "an encoder": (
            {f"{critic}.encoder.MLP_0.Dense_0.kernel": np.zeros((3, 3), "f4")},
            "encoder.MLP_0.Dense_0.kernel' is no part of a critic",
        ),
        "whole numbers": ({second: np.zeros((3, 8, 6), "i4")}, rf"'{second}' has type int32; floats were expected"),
        "another width": ({second: np.zeros((3, 8, 7), "f4")}, r"neighbours ask for \(3, 1, 7\)"),
        "other members": ({second: np.zeros((2, 8, 6), "f4")}, r"has shape \(2, 8, 6\), its neighbours ask for \(3, 8, 6\)"),
        "one axis": ({first: np.zeros(7, "f4")}, r"must be \(in, out\) or \(K, in, out\), got \(7,\)"),
        "no numbers": ({first: np.zeros((0, 8), "f4")}, "no numbers|too few"),
        "not finite": ({second: np.full((3, 8, 6), np.nan, "f4")}, "not finite in float32"),
        "too large for float32": ({second: np.full((3, 8, 6), 1e300)}, "not finite in float32"),
        "one LayerNorm is missing": (
            {f"{critic}.value_net.LayerNorm_0.{key}": None for key in ("scale", "bias")},
            "LayerNorm_0 onwards",
        ),
        "half a LayerNorm is missing": ({f"{critic}.value_net.LayerNorm_0.scale": None}, "no array named '.*LayerNorm_0.scale'"),
        "another observation": (
            {f"{critic.replace('critic', 'target_critic')}.value_net.Dense_0.kernel": np.zeros((3, 9, 8), "f4")},
            "takes 9 numbers and gives 1; with S = 4 and D = 2 of the other nets 6 and 1 were expected",
        ),
    }  # fmt: skip


FAULTS = [(family, name) for family in FAMILIES for name in faults(family)]


@pytest.mark.parametrize(("family", "fault"), FAULTS)
def test_faults_are_named(family: str, fault: str, tmp_path: Path) -> None:
    change, words = faults(family)[fault]
    arrays = {name: a for name, a in (full_names(family, nets_of(family, SIZES)) | change).items() if a is not None}
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=words) as caught:
        load_published(path, family)
    assert str(path) in str(caught.value)
    assert "docs/bring_your_own.md" in str(caught.value)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    folder = Path(__file__).parent / "published"
    with pytest.raises(ValueError, match=r"is flax's msgpack; .*workbench convert --script"):
        load_published(folder / "fql.msgpack")
    with pytest.raises(ValueError, match=r"is a folder.*orbax.*workbench convert --script"):
        load_published(tmp_path)
    for content, words in (
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF", "a torch file of before 2020"),
        (b"", "neither an npz archive"),
        (b"hello" * 20, "neither an npz archive"),
        (bytes([200, 1]) + bytes(6) + b"{" + bytes(20), "its header is cut off"),
    ):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(ValueError, match=words):
            load_published(tmp_path / "file")
    np.savez(tmp_path / "objects.npz", a=np.array([1, "x"], dtype=object))
    with pytest.raises(ValueError, match=r"'a' holds Python objects, which are pickles and never read"):
        load_published(tmp_path / "objects.npz")


def test_small_files_that_declare_much(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(100 * 2**20))
    with pytest.raises(ValueError, match="unpacks to 104,857,600 bytes"):
        load_published(path)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }"
    header = b"\x93NUMPY\x01\x00" + bytes([118, 0]) + header.ljust(117) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header + bytes(100))
    with pytest.raises(ValueError, match=r"'a' claims shape \(99999999999,\).*but 100 are stored"):
        load_published(path)


@pytest.mark.parametrize("suffix", ["npz", "safetensors", "pkl", "pt"])
def test_damaged_files_are_read_or_refused(suffix: str, tmp_path: Path) -> None:
    """Bytes, headers, sizes, cuts, and other kinds of file in its place: arrays or words, nothing else."""
    arrays = full_names("qgf", nets_of("qgf", (2, 1, (4,), 2)))
    whole = tmp_path / f"whole.{suffix}"
    if suffix == "npz":
        np.savez(whole, config=np.frombuffer(b'{"discount": 0.9}', np.uint8), **arrays)
    elif suffix == "safetensors":
        save_file(arrays, whole, metadata={"config": '{"discount": 0.9}'})
    elif suffix == "pkl":
        whole.write_bytes(pickle.dumps(tree_of("qgf", (2, 1, (4,), 2))))
    else:
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, whole)
    ends = {"read": 0, "refused": 0}
    for number in range(150):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / whole.name
        shutil.copyfile(whole, path)
        mutate(path, random.Random(number))
        try:
            load_published(path)
            ends["read"] += 1
        except (UserError, OSError):
            ends["refused"] += 1
    assert ends["refused"] > 60
