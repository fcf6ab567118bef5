"""What is installed is what was meant: hashes for every pin, a bill of materials, and licences that are on a stated list."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
# Licences (SPDX) that let anybody use, change and pass on the workbench with its packages.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC",
    "LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "ZPL-2.1", "Zlib",
}  # fmt: skip
# What packages without an SPDX expression say, in their classifiers or in a line of their own.
SPOKEN = {
    "Apache Software License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Packages whose licence is not on the list or not stated, and why they are here all the same. Linux with a GPU only:
PROPRIETARY = ("nvidia-", "cuda-")  # NVIDIA's redistributable libraries, which torch's GPU build asks for
UNKNOWN: dict[str, str] = {}  # name: reason


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Requirement and hashes of each entry of the lock, by canonical name."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for entry in entries:
        words, *hashes = entry.split(" --hash=")
        item = Requirement(words.strip())
        found[canonicalize_name(item.name)] = item, [one.strip() for one in hashes]
    return found


def needed() -> Iterator[str]:
    """The core and all extras, and everything that these need here, as far as it is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [
        Requirement(line)
        for lines in (project["dependencies"], *project["optional-dependencies"].values())
        for line in lines
    ]
    seen: set[tuple[str, str]] = set()
    while waiting:
        item = waiting.pop()
        for extra in ("", *item.extras):
            key = canonicalize_name(item.name), extra
            if key in seen:
                continue
            seen.add(key)
            try:
                further = map(Requirement, importlib.metadata.requires(item.name) or [])
            except importlib.metadata.PackageNotFoundError:
                continue  # of another platform, or an extra that is not installed here
            if not extra:
                yield key[0]
            waiting += [one for one in further if one.marker is None or one.marker.evaluate({"extra": extra})]


def licences(name: str) -> set[str]:
    """SPDX identifiers of a package, from its expression, else its classifiers, else its own words."""
    about = importlib.metadata.metadata(name)
    stated = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or [] if line.startswith("License ::")]
    said = about.get("License-Expression") or stated or (about.get("License") or "").strip()
    parts = said if isinstance(said, list) else [said]
    words = [SPOKEN.get(part, part) for part in parts]
    return {one for part in words for one in re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", part) if one}


def test_every_licence_is_on_the_list() -> None:
    names = [name for name in needed() if not name.startswith(PROPRIETARY)]
    assert len(names) > 50
    other = {name: sorted(licences(name)) for name in names if not licences(name) or licences(name) - ALLOWED}
    assert other == {name: other.get(name) for name in UNKNOWN}, "add it to UNKNOWN with a reason, or do without it"


def test_a_licence_that_is_not_on_the_list_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reader of licences reads a copyleft one, and one that says nothing."""
    for name, line in (("strict", "License-Expression: AGPL-3.0-only"), ("silent", "Summary: nothing")):
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1\n{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert licences("strict") - ALLOWED == {"AGPL-3.0-only"}
    assert licences("silent") == set()


def test_every_pin_can_be_installed_with_the_oldest_python() -> None:
    """A distribution's Python may be years older than the newest 3.11: a pin that asks for 3.11.5 ends the installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (lowest,) = SpecifierSet(project["requires-python"])
    assert lowest.operator == ">="
    asked = {name: importlib.metadata.metadata(name).get("Requires-Python") for name in needed()}
    too_new = {name: text for name, text in asked.items() if text and f"{lowest.version}.0" not in SpecifierSet(text)}
    assert too_new == {}, "pin an older version in constraints.txt, then: make lock"


def test_the_lock_has_every_pin_with_hashes() -> None:
    pinned, found = constraints(), locked()
    versions = {name: {one.version for one in item.specifier} for name, (item, _) in found.items()}
    assert {name: version for name, version in pinned.items() if versions.get(name, {version}) != {version}} == {}
    asked = {canonicalize_name(name) for name in needed()}
    assert asked & set(pinned) - set(found) == set(), "run: make lock"
    for name, (item, hashes) in found.items():
        assert [one.operator for one in item.specifier] == ["=="], name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), name
    assert len(found["torch"][1]) > 4  # all platforms and Pythons, not this machine's alone


def test_the_lock_names_no_place() -> None:
    assert "://" not in LOCK.read_text(encoding="utf-8")


def pip(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--disable-pip-version-check", *words]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": "", "PIP_CONFIG_FILE": "/dev/null"})


def installed() -> list[str]:
    """Lines of the lock, with their hashes, of what is installed here in that version."""
    lines = []
    for name, (item, hashes) in locked().items():
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if item.specifier.contains(here) and (item.marker is None or item.marker.evaluate()):
            lines.append(" ".join([str(item), *(f"--hash={one}" for one in hashes)]))
    return lines


def test_pip_accepts_the_lock_and_asks_for_nothing_that_it_does_not_hold(tmp_path: Path) -> None:
    """In hash-checking mode pip refuses a package, or anything that one needs, without pin and hash."""
    lines = installed()
    assert len(lines) > 50
    (tmp_path / "here.lock").write_text("\n".join(lines) + "\n")
    done = pip("--require-hashes", "-r", str(tmp_path / "here.lock"))
    assert done.returncode == 0, done.stderr[-500:]


def test_pip_refuses_a_file_with_another_hash(tmp_path: Path) -> None:
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was meant")
    (tmp_path / "tiny.lock").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    done = pip("--require-hashes", "--find-links", str(tmp_path), "-r", str(tmp_path / "tiny.lock"))
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_the_bill_of_materials_is_valid_and_whole(tmp_path: Path) -> None:
    """By the command of ``make sbom``, read from the Makefile."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nsbom:")[2].partition("\n\n")[0]
    words = recipe.replace("\\\n", " ").split("cyclonedx-py", 1)[1].split()
    words = [sys.executable if word == "$(BIN)/python" else word for word in words]
    out = tmp_path / "sbom.json"
    words[words.index("-o") + 1] = str(out)
    subprocess.run([sys.executable, "-m", "cyclonedx_py", *words], cwd=ROOT, check=True, capture_output=True)
    assert "--validate" in words  # against the schema of CycloneDX
    bill = json.loads(out.read_text(encoding="utf-8"))
    assert bill["metadata"]["component"]["name"] == "workbench"
    listed = {canonicalize_name(part["name"]): part["version"] for part in bill["components"]}
    assert {name: listed.get(name) for name in needed()} == {
        name: importlib.metadata.version(name) for name in needed()
    }
