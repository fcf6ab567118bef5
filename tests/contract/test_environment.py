"""pyproject.toml, constraints.txt and environment.yml name the same packages at versions that agree."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
# What conda-forge calls a package that PyPI knows by another name.
CONDA_NAMES = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib", "dask-core": "dask"}
# Extras that environment.yml brings; test and dev are for those who change the workbench.
CONDA_EXTRAS = ("ogbench", "minari", "robotics", "data", "dask", "export", "film", "language")
# What environment.yml names although pyproject.toml does not, and why.
CONDA_ONLY = {"python": "conda brings it", "pip": "conda asks for it", "h5py": "the binary behind minari[hdf5]"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(*extras: str) -> dict[str, Requirement]:
    """The core's requirements and those of ``extras``, by canonical name."""
    lines = [
        *project()["dependencies"],
        *(line for extra in extras for line in project()["optional-dependencies"][extra]),
    ]
    return {canonicalize_name(item.name): item for item in map(Requirement, lines)}


def constraints() -> dict[str, str]:
    """Exact versions by canonical name; anything but ``name==version`` is an error."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def environment() -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Versions from conda, versions from pip (both by PyPI's canonical name), and the other lines for pip."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip_lines = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    conda = {}
    for entry in (entry for entry in entries if isinstance(entry, str)):
        name, _, version = entry.partition("=")
        conda[canonicalize_name(CONDA_NAMES.get(name, name))] = version
    pip = dict(line.split("==") for line in pip_lines if "==" in line)
    return conda, {canonicalize_name(n): v for n, v in pip.items()}, [line for line in pip_lines if "==" not in line]


def test_every_requirement_is_pinned_inside_its_bounds():
    wanted, pinned = requirements(*project()["optional-dependencies"]), constraints()
    assert sorted(set(wanted) - set(pinned)) == []
    outside = {name: pinned[name] for name, item in wanted.items() if not item.specifier.contains(pinned[name])}
    assert outside == {}


def test_every_requirement_has_a_lower_bound():
    operators = {
        name: {s.operator for s in item.specifier}
        for name, item in requirements(*project()["optional-dependencies"]).items()
    }
    assert [name for name, found in operators.items() if not found & {">=", "==", "~="}] == []


def test_constraints_serve_every_build_of_torch():
    assert "+" not in "".join(constraints().values()), "a local label such as +cpu would refuse the other builds"


def test_constraints_are_closed():
    """Everything that the pinned packages need is pinned too, so that next year's install is this year's."""
    pinned, loose = constraints(), set()
    for name in pinned:
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        for item in map(Requirement, needed):
            if item.marker is None or item.marker.evaluate({"extra": ""}):
                loose |= {canonicalize_name(item.name)} - set(pinned)
    # setuptools and pip belong to the environment, not to the working set; the CUDA parts come with torch's GPU build.
    assert {name for name in loose if not name.startswith(("nvidia-", "cuda-", "triton"))} - {
        "setuptools",
        "pip",
    } == set()


def test_the_conda_environment_names_the_same_packages():
    conda, pip, _ = environment()
    assert set(conda) | set(pip) == set(requirements(*CONDA_EXTRAS)) | set(CONDA_ONLY)
    assert set(conda) & set(pip) == set()


def test_the_conda_environment_has_the_same_versions():
    conda, pip, rest = environment()
    pinned = constraints()
    assert {name: version for name, version in pip.items() if version != pinned[name]} == {}
    # a conda pin "3.9" stands for 3.9.*: it has to be the front of the exact version, at least major.minor
    apart = {
        name: (version, pinned[name])
        for name, version in conda.items()
        if name not in ("python", "pip") and not (f"{pinned[name]}.".startswith(f"{version}.") and "." in version)
    }
    assert apart == {}
    assert rest == ["-e ."], "Binder and conda install the workbench itself from the clone"


def test_the_conda_environment_uses_conda_forge_alone():
    channels = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["channels"]
    assert channels == ["conda-forge", "nodefaults"]


def test_the_conda_python_is_one_that_the_project_allows():
    item = Requirement(f"python{project()['requires-python']}")
    assert item.specifier.contains(environment()[0]["python"])


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "CHANGELOG.md", "Makefile", ".ci/run"])
def test_what_a_reader_expects_is_there(name):
    assert (ROOT / name).is_file()
