"""Ways to damage a file: its bytes, the values in it, the headers of the arrays in it, or what kind of file it is."""

import json
import os
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**39, 10**400, 1.5, -0.0, 1e308, "", "x", "x" * 100_000, "\x1b[2J\x00", "\u202e",
    "<script>alert(1)</script>", "../../etc/passwd", [], [[]], [None], {}, {"a": {}}, {"x" * 5000: 1}, list(range(1000)),
]  # fmt: skip
WORDS = ["NaN", "Infinity", "-Infinity", "1e999", "-" + "9" * 5000, "[" * 5000 + "]" * 5000, '"\\ud800"', "nul", "'a'"]
HEADERS = [
    b"'descr': ','",
    b"'descr': '|O'", b"'descr': '<f4' * 9", b"'shape': (True, 2)", b"'shape': (-1, 2)", b"'shape': " + b"(" * 40,
    b"'shape': (99999999999, 2)", b"'fortran_order': 7", b"'descr': '''<f4", b"'descr': [('a', '<f4')]",
]  # fmt: skip


def mutate(path: Path, rng: random.Random) -> None:
    """Damage the file ``path`` in a way that ``rng`` chooses."""
    ways = [_bytes, _cut, _kind] + ([_value] * 6 if path.suffix in (".json", ".jsonl") else [_bytes] * 2)
    if path.suffix == ".npz":
        ways += [_header] * 4
    if path.suffix == ".safetensors":
        ways += [_tensors] * 4
    rng.choice(ways)(path, rng)


def _bytes(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 4, 32])):
        content[rng.randrange(len(content))] = rng.choice([0, 255, 128, rng.randrange(256)])
    path.write_bytes(bytes(content))


def _cut(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    place = rng.randrange(len(content))
    path.write_bytes(
        rng.choice([content[:place], content[place:], content + content[:place], b"", b"\xff\xfe" + content])
    )


def _kind(path: Path, rng: random.Random) -> None:
    path.unlink()
    make = rng.choice(["pipe", "loop", "device", "folder", "nothing", "holes"])
    if make == "pipe":
        os.mkfifo(path)
    elif make == "loop":
        path.symlink_to(path.name)
    elif make == "device":
        path.symlink_to("/dev/zero")
    elif make == "folder":
        path.mkdir()
    elif make == "holes":
        path.touch()
        os.truncate(path, 2**33)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found = []
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found += [(value, key), *_places(value[key])]
    return found


def _value(path: Path, rng: random.Random) -> None:
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    number = rng.randrange(len(lines))
    value = json.loads(lines[number])
    outer, key = rng.choice(_places(value) or [([value], 0)])
    if rng.random() < 0.2:
        outer[key] = "THE PLACE"
        lines[number] = json.dumps(value).replace('"THE PLACE"', rng.choice(WORDS))
    else:
        if isinstance(outer, dict) and rng.random() < 0.2:
            del outer[key]
        else:
            outer[key] = rng.choice(VALUES)
        lines[number] = json.dumps(value)
    path.write_text("\n".join(lines) + "\n")


def _header(path: Path, rng: random.Random) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    size = struct.unpack("<H", members[name][8:10])[0]
    header, data = members[name][10 : 10 + size], members[name][10 + size :]
    part = rng.choice(HEADERS)
    field = part.partition(b":")[0]
    start = header.index(field)
    end = header.index(b", '", start) if b", '" in header[start:] else len(header) - 2
    changed = header[:start] + part + header[end:]
    members[name] = members[name][:8] + struct.pack("<H", len(changed)) + changed + data
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def _tensors(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    outer, key = rng.choice(_places(header))
    outer[key] = rng.choice(VALUES)
    changed = json.dumps(header).encode()
    length = rng.choice([len(changed)] * 4 + [2**62, 0])
    path.write_bytes(length.to_bytes(8, "little") + changed + content[8 + size :])
