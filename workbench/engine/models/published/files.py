"""Files of weights from anyone: npz, safetensors, pickles of the three codes, torch state dicts. No file chooses what runs."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as load_safetensors

from workbench.engine.data.npz import MAX_BYTES, READABLE, check_sizes
from workbench.engine.data.regular import read_regular
from workbench.engine.data.strict_json import parse_json
from workbench.engine.models.published.pickled import read_pickle
from workbench.engine.words import UserError, shown

SCRIPT = (
    "`workbench convert --script` writes the script that makes such a file in the environment that wrote the weights"
)
CONFIG = "config"  # the member of an npz, or the entry of a safetensors file's notes, that holds the settings as JSON
MOST_ARRAYS = 20_000
MOST_CONFIG = 2**20
STARTS = (
    *(bytes([0x80, protocol]) for protocol in range(6)),
    b"(d",
    b"}q",
)  # of a pickle; the last two of protocols 0 and 1
OLD_TORCH = b"\x80\x02\x8a"


@dataclass(frozen=True)
class Weights:
    """What a file holds.

    Attributes
    ----------
    source : str
        What messages call it.
    arrays : dict of str to ndarray
        By their full names.
    config : dict
        Settings that stand in the file itself.
    """

    source: str
    arrays: dict[str, np.ndarray]
    config: dict[str, Any] = field(default_factory=dict)


def read_weights(path: str | Path) -> Weights:
    """Read a file of weights, whatever its name says it is.

    Raises
    ------
    UserError
        Not a format that is known, damaged, too large, or holding other things than arrays of numbers.
    FileNotFoundError
        No such file.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(
            f"{path} is a folder; a file was expected. Of an orbax or other folder make one first: {SCRIPT}"
        )
    content = read_regular(path, MAX_BYTES)
    source = str(path)
    if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zipped(content, source)
    if content.startswith(STARTS) and not content.startswith(OLD_TORCH):
        return _pickled(content, source)
    if len(content) > 8 and content[8:9] == b"{":
        return _safetensors(content, source)
    what = {b"\x93NUMPY": "a single array (.npy)", b"\x89HDF\r\n": "an HDF5 file"}.get(content[:6])
    if (
        len(content) > 1 and 0x81 <= content[0] <= 0x8F and 0xA0 <= content[1] <= 0xBF
    ):  # a map whose first key is a text
        what = "flax's msgpack"
    if content.startswith(OLD_TORCH):
        what = "a torch file of before 2020, which is a bare pickle: load it and torch.save(state_dict, …) it anew"
    raise UserError(
        f"{source} is {what or 'neither an npz archive, a safetensors file nor a pickle of arrays'}; weights are read as .npz, "
        f".safetensors, params_N.pkl, or torch's .pt with a mapping. {SCRIPT}"
    )


def _pickled(content: bytes, source: str) -> Weights:
    try:
        leaves = read_pickle(content)
    except UserError as error:
        raise UserError(f"{source}: {error} (docs/bring_your_own.md: Checkpoints)") from None
    return Weights(source, {name: np.asarray(leaf) for name, leaf in leaves.items() if not isinstance(leaf, str)})


def _zipped(content: bytes, source: str) -> Weights:
    """An npz archive, or torch's own, which has a pickle in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            check_sizes(source, sum(info.file_size for info in members), len(content))
            if len(members) > MOST_ARRAYS:
                raise UserError(f"{source}: {len(members):,} members, at most {MOST_ARRAYS:,} are read")
            if any(info.filename.endswith("/data.pkl") for info in members):
                return _torch(content, source)
            return _npz(archive, members, source)
    except UserError:
        raise
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, struct.error) as error:
        raise UserError(
            f"{source} is no complete npz archive ({error}): it is cut off or damaged; copy it again, or write it anew with "
            "numpy.savez"
        ) from None
    except (
        OSError,
        ValueError,
        KeyError,
        IndexError,
        OverflowError,
    ) as error:  # zipfile's, of damaged tables of contents
        raise UserError(f"{source} is no complete npz archive ({error!r}); copy it again") from None


def _npz(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], source: str) -> Weights:
    arrays: dict[str, np.ndarray] = {}
    for info in members:
        name = info.filename.removesuffix(".npy")
        with archive.open(info) as stream:
            arrays[name] = _member(stream, info.file_size, name, source)
    config = arrays.pop(CONFIG, None)
    return Weights(source, arrays, {} if config is None else _settings(config.tobytes(), source))


def _member(stream: Any, stored: int, name: str, source: str) -> np.ndarray:
    """One array, whose header is compared with what is stored before anything is made of it."""
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = READABLE[version](stream)
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # a header is a Python literal, which Python's parser refuses with errors of every kind
        raise UserError(f"{source}: '{name}' is not a plain array ({error!r}); write it with numpy.savez") from None
    if dtype.hasobject:
        raise UserError(
            f"{source}: '{name}' holds Python objects, which are pickles and never read; floats were expected. {SCRIPT}"
        )
    if dtype.kind not in "biuf":
        hint = " (NumPy forgets bfloat16's name: save it as float32)" if dtype.kind == "V" else ""
        raise UserError(f"{source}: '{name}' has type {dtype}{hint}; floats were expected. {SCRIPT}")
    if not all(type(size) is int and 0 <= size < 2**48 for size in shape):
        raise UserError(f"{source}: '{name}' claims shape {shown(shape)}; it is damaged, copy it again")
    needed, left = math.prod(shape) * dtype.itemsize, stored - stream.tell()
    if needed != left:
        raise UserError(
            f"{source}: '{name}' claims shape {shown(shape)} of {dtype}, {needed:,} bytes, but {left:,} are stored; "
            "it is damaged, copy it again"
        )
    array = np.frombuffer(stream.read(needed), dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _safetensors(content: bytes, source: str) -> Weights:
    length = struct.unpack("<Q", content[:8])[0]
    if length > min(len(content) - 8, 100 * 2**20):
        raise UserError(f"{source} is no complete safetensors file: its header is cut off; copy it again")
    try:
        tensors = load_safetensors(content)
    except Exception as error:  # beside its own error the library lets through what unknown types of numbers cause
        raise UserError(f"{source} is no complete safetensors file ({error!r}); copy it again") from None
    header = parse_json(content[8 : 8 + length])
    notes = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    config = _settings(notes[CONFIG].encode(), source) if CONFIG in notes else {}
    return Weights(source, {name: _numbers(tensor, name, source) for name, tensor in tensors.items()}, config)


def _torch(content: bytes, source: str) -> Weights:
    """A state dict, read by torch's own reader of weights alone."""
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0][:300]
        raise UserError(
            f"{source} holds more than weights, or is damaged ({reason}); save the state dict alone: "
            "torch.save(module.state_dict(), …)"
        ) from None
    arrays: dict[str, np.ndarray] = {}
    open_: list[tuple[str, Any]] = [("", weights)]
    while open_:
        name, value = open_.pop()
        if isinstance(value, Mapping):
            open_ += [(f"{name}.{key}" if name else str(key), inner) for key, inner in value.items()]
        elif isinstance(value, torch.Tensor):
            arrays[name] = _numbers(value, name, source)
    return Weights(source, arrays, {"torch": True})


def _numbers(tensor: torch.Tensor, name: str, source: str) -> np.ndarray:
    if tensor.is_quantized or tensor.is_sparse or tensor.is_complex():
        raise UserError(f"{source}: '{name}' is {tensor.dtype}, {tensor.layout}; plain floats were expected")
    short = tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64)
    array: np.ndarray = (tensor.float() if short else tensor).detach().cpu().numpy()  # NumPy has no bfloat16
    return array


def _settings(content: bytes, source: str) -> dict[str, Any]:
    """The settings that stand in a file, or in one beside it."""
    if len(content) > MOST_CONFIG:
        raise UserError(f"{source}: its settings have {len(content):,} bytes, at most {MOST_CONFIG:,} are read")
    try:
        settings = parse_json(content)
    except ValueError as error:
        raise UserError(f"{source}: its settings are no JSON ({error}); write them again, or leave them out") from None
    if not isinstance(settings, dict):
        raise UserError(f"{source}: its settings are {shown(settings)}, an object such as flags.json has was expected")
    return settings


def read_config(path: str | Path) -> dict[str, Any]:
    """The settings in a file such as ``flags.json``; raises as `read_weights`."""
    return _settings(read_regular(path, MOST_CONFIG), str(path))
