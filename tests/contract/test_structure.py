"""The house rules of the source: who imports whom, how long a file is, what it may be called, what it must not do."""

import ast
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import pytest
from contract.law import ENGINE, ROOT, allowed, closest, files, imports, module_of, notebooks, rooms, sources, within

from workbench.engine.steering.rules import RULES
from workbench.engine.training.config import make_config
from workbench.engine.training.losses import LOSSES
from workbench.engine.training.losses.loss import Loss

# Third parties that belong to one room.
OWNERS = {
    "holoviews": ("workbench.plots", "workbench.elements"),
    "matplotlib": ("workbench.plots", "workbench.elements"),
    "datashader": ("workbench.plots",),
    "panel": ("workbench.ui", "apps", "workbench.plots.styled"),  # HoloViews shows sliders in a notebook with it
    "ipywidgets": ("workbench.ui",),
    "dask": ("workbench.experiments",),
    "distributed": ("workbench.experiments",),
}
# What the engine may take from outside, by place.
ENGINE_PARTIES = {
    "workbench.engine": {"torch", "numpy", "pydantic"},
    "workbench.engine.models.fused": {"torch", "triton"},
    "workbench.engine.models.published": {"torch", "numpy", "pydantic", "safetensors"},
    "workbench.engine.data": {
        "torch",
        "numpy",
        "pydantic",
        "safetensors",
        "pyarrow",
        "zarr",
        "h5py",
        "minari",
        "ogbench",
        "platformdirs",
        "filelock",
    },
    "workbench.engine.models.native": {"torch", "platformdirs"},
    "workbench.engine.tasks": {"torch", "numpy", "pydantic", "gymnasium", "ogbench", "mujoco", "platformdirs"},
    "workbench.engine.training": {"torch", "numpy", "pydantic", "safetensors", "platformdirs"},
    "workbench.engine.online": {"torch", "numpy", "pydantic"},
    "workbench.engine.metrics": {"torch", "numpy", "pydantic", "scipy", "ot"},
}
BANNED_NAMES = {"utils", "util", "misc", "helpers", "helper", "common"}
BANNED_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
# Reads no file: its bytes come through a pipe from the processes that it started itself, as all of multiprocessing does.
OWN_PIPES = {f"workbench.ui.server.{module}": {"imports pickle"} for module in ("drawing", "packing", "painter")}
# Who starts processes: one supervisor, and three that cannot stand on it.
STARTERS = {
    "workbench.runs.child",
    "workbench.engine.tasks.collect",  # the engine imports no runs; a pool that ends with its function
    "workbench.engine.tasks.film",  # likewise
    "workbench.course.player",  # a stranger's code, confined
}
STARTING = {"subprocess.Popen", "ProcessPoolExecutor", "os.fork", "os.posix_spawn"}
MACHINE_PATH = re.compile(
    r"""(?:(?<=file://)|(?<![\w.~/)}\]]))(?:/(?:work|home|root|opt|tmp|Users|mnt|scratch)/\w|[A-Z]:\\\\?\w)"""
)


def trespasses(module: str, tree: ast.Module) -> list[str]:
    """What ``module`` imports against the law."""
    found = []
    for target in sorted(set(imports(tree))):
        top = target.partition(".")[0]
        if target.startswith("."):
            found.append(f"{module}: relative import '{target}'; write the full name")
        elif top == "workbench" and not allowed(module, target):
            found.append(f"{module} must not import {target}")
        elif top in OWNERS and not module.startswith("notebooks") and not any(within(module, o) for o in OWNERS[top]):
            found.append(f"{module} must not import {top}: only {' and '.join(OWNERS[top])} may")
        elif within(module, ENGINE) and top != "workbench" and top not in sys.stdlib_module_names:
            place = closest(module, ENGINE_PARTIES)
            if place and top not in ENGINE_PARTIES[place]:
                found.append(f"{module} must not import {top}; {place} may use {sorted(ENGINE_PARTIES[place])}")
    return found


def dangers(tree: ast.Module) -> list[str]:
    """Ways to let a data file run code: pickle and its kin, eval, exec, torch.load, allow_pickle."""
    found = [f"imports {name}" for name in imports(tree) if name.partition(".")[0] in BANNED_IMPORTS]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        flags = {keyword.arg: keyword.value for keyword in node.keywords}
        if name in ("eval", "exec", "builtins.eval", "builtins.exec"):
            found.append(f"line {node.lineno}: {name}()")
        if name == "torch.load" and not _is(flags.get("weights_only"), True):
            found.append(f"line {node.lineno}: torch.load without weights_only=True")
        if "allow_pickle" in flags and not _is(flags["allow_pickle"], False):
            found.append(f"line {node.lineno}: {name}(allow_pickle=...)")
    return found


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def starts_processes(tree: ast.Module) -> bool:
    """Whether a module starts a process that it would have to look after."""
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(name in STARTING or name.endswith((".Process", "Popen")) for name in calls)


def test_everything_is_seen():
    modules = {name for name, _ in sources()}
    assert "workbench.engine.steering.rules.vgf" in modules
    assert Path(__file__).resolve() in files()


def test_import_law():
    assert [line for name, tree in sources() for line in trespasses(name, tree)] == []


def test_one_supervisor_starts_the_processes():
    assert {name for name, tree in sources() if starts_processes(tree)} == STARTERS


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("workbench.engine.models.mlp", "from workbench.engine.steering.run import act"),
        ("workbench.engine.steering.run", "from workbench.engine.training.config import FitConfig"),
        ("workbench.engine.steering.run", "from workbench.engine import training"),
        ("workbench.engine.steering.run", "import workbench"),
        ("workbench.engine.tasks.rollout", "import workbench.engine.training.plan"),
        ("workbench.engine.data.transitions", "from workbench.engine.models.parts import Parts"),
        ("workbench.engine.precision", "from workbench.engine.models.parts import Parts"),
        ("workbench.engine.metrics.shift", "import holoviews as hv"),
        ("workbench.engine.models.mlp", "import scipy.stats"),
        ("workbench.experiments.sweep", "from workbench.ui.server.parts_cache import Session"),
        ("workbench.plots.lines", "from workbench.experiments import store"),
        ("workbench.plots.lines", "import panel as pn"),
        ("workbench.ui.canvas.stage", "def late():\n    import matplotlib.pyplot"),
        ("workbench.ui.canvas.stage", "from dask.distributed import Client"),
        ("workbench.commands.serve", "import ipywidgets"),
        ("workbench.engine.steering.run", "from .trace import Trace"),
        ("apps.transport", "from workbench.engine.steering.run import act"),
        ("apps.transport", "from workbench import engine"),
        ("notebooks.01", "import workbench.plots"),
        ("workbench.ui.pages.training.page", "from workbench.ui.pages.budget.draw import pair_of"),
        ("workbench.views.terrain", "from workbench.ui.canvas.stage import Stages"),
        ("workbench.views.terrain", "import panel as pn"),
        ("workbench.ui.server.lab", "from workbench.ui.shell.page import Page"),
        ("workbench.runs.launched", "from workbench.experiments.store import Store"),
        ("workbench.engine.training.losses.iql", "from workbench.engine.training.loop.fit import fit"),
    ],
)
def test_the_import_law_catches(module, line):
    assert len(trespasses(module, ast.parse(line))) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("workbench.engine.training.loop.fit", "from workbench.engine.precision import fast_matmul"),
        ("workbench.engine.tasks.three_exits", "from workbench.engine.training.config import FitConfig"),
        ("workbench.engine.metrics.shift", "import ot"),
        ("workbench.ui.canvas.stage", "import panel as pn\nfrom workbench.plots import lines"),
        ("workbench.commands.sweep", "from workbench.experiments.sweep import sweep"),
        ("apps.transport", "from workbench import VGF\nfrom workbench.ui.shell.template import serve_page"),
    ],
)
def test_the_import_law_lets_pass(module, line):
    assert trespasses(module, ast.parse(line)) == []


def test_rooms_stand_on_floors(capsys):
    """No circle: every room imports rooms of lower floors only, which this prints."""
    graph, floor = rooms(), 0
    with capsys.disabled():
        while graph:
            ground = sorted(room for room, below in graph.items() if not below & graph.keys())
            assert ground, f"these rooms import each other in a circle: {sorted(graph)}"
            print(f"\n  floor {floor}: {'  '.join(room.removeprefix('workbench.') for room in ground)}", end="")
            graph = {room: below for room, below in graph.items() if room not in ground}
            floor += 1
        print()


def test_files_are_short():
    def limit(path: Path) -> int:
        rule = path.parent == ROOT / "workbench/engine/steering/rules" and path.stem != "__init__"
        small = rule or path.is_relative_to(ROOT / "apps")
        return 60 if small else 400

    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert [f"{p.relative_to(ROOT)}: {n} lines" for p, n in lengths.items() if n >= limit(p)] == []


def test_files_are_named_by_what_they_hold():
    named = [path for path in files() if BANNED_NAMES & {path.stem, *path.relative_to(ROOT).parts}]
    assert named == []


def test_every_rule_file_is_registered():
    folder = ROOT / "workbench/engine/steering/rules"
    present = {f"workbench.engine.steering.rules.{path.stem}" for path in folder.glob("*.py")} - {
        "workbench.engine.steering.rules.__init__"
    }
    registered = {rule.__module__ for rule in RULES.values()}
    assert present == registered, "add a line to rules/__init__.py for each file in rules/"
    assert len(RULES) == len(present), "one file per rule, one rule per file"
    assert all(name == rule.name for name, rule in RULES.items())


def test_every_loss_is_registered():
    """What is a loss in losses/ and can be made stands in the registry, with settings that no other loss declares."""
    folder = ROOT / "workbench/engine/training/losses"
    present = {
        kind
        for path in folder.glob("[!_]*.py")
        for kind in vars(importlib.import_module(f"workbench.engine.training.losses.{path.stem}")).values()
        if isinstance(kind, type) and issubclass(kind, Loss) and not inspect.isabstract(kind)
    }
    assert present == set(LOSSES.values()), "add a line to losses/__init__.py for each loss"
    assert all(isinstance(make_config(), loss.settings) for loss in present)


def test_no_data_file_can_run_code():
    found = {name: [line for line in dangers(tree) if line not in OWN_PIPES.get(name, ())] for name, tree in sources()}
    for path in files():
        if path.is_relative_to(ROOT / "benchmarks"):
            found[module_of(path)] = dangers(ast.parse(path.read_text(encoding="utf-8")))
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
    ],
)
def test_the_danger_check_catches(line):
    assert len(dangers(ast.parse(line))) == 1


def test_the_danger_check_lets_pass():
    harmless = "model.eval()\ntorch.load(path, weights_only=True)\nnp.load(path, allow_pickle=False)\nre.compile('x')"
    assert dangers(ast.parse(harmless)) == []


def test_no_paths_of_one_machine():
    texts = [path for path in files() if path != Path(__file__).resolve()] + notebooks()
    texts += [ROOT / name for name in ("pyproject.toml", "Makefile", "constraints.txt", "environment.yml", ".ci/run")]
    found = []
    for path in texts:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize("text", ['"/home/ann/data"', "x = '/opt/tool/bin'", "file:///work/project", r'"C:\\data"'])
def test_the_path_check_catches(text):
    assert MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["a/work/b", "https://example.org/home/x", "~/work/x", "{base}/home/x", "N/A: /"])
def test_the_path_check_lets_pass(text):
    assert not MACHINE_PATH.search(text)


def test_notebooks_are_kept_without_outputs():
    dirty = []
    for path in notebooks():
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
            if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"] is not None):
                dirty.append(f"{path.relative_to(ROOT)}, cell {number}: run `make format`")
    assert dirty == []
