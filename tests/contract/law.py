"""The import law: each room and what it may import; and reading who imports whom."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from workbench.ui.shell.registry import PAGES

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("workbench", "apps", "tests", "benchmarks")
ENGINE = "workbench.engine"

BELOW_TRAINING = ("workbench.engine.steering", "workbench.engine.models", "workbench.engine.data")
BELOW_VIEWS = (
    "workbench.engine",
    "workbench.language",
    "workbench.runs",
    "workbench.experiments",
    "workbench.plots",
)
BELOW_UI = (*BELOW_VIEWS, "workbench.report", "workbench.views")
UI = tuple(f"workbench.ui.{room}" for room in ("browser", "canvas", "server", "shell", "controls"))
# Each place and what it may import of the workbench; the longest matching place counts. `X` covers X and all below it.
LAW: dict[str, tuple[str, ...]] = {
    "workbench.engine.models": ("workbench.engine.models",),
    "workbench.engine.models.published": ("workbench.engine.models", "workbench.engine.data"),  # it reads files
    "workbench.engine.data": ("workbench.engine.data",),
    "workbench.engine.steering": ("workbench.engine.models", "workbench.engine.steering"),
    "workbench.engine.training.run_settings": BELOW_TRAINING,
    "workbench.engine.training.networks": (*BELOW_TRAINING, "workbench.engine.training.run_settings"),
    "workbench.engine.training.losses": (
        *BELOW_TRAINING,
        "workbench.engine.training.run_settings",
        "workbench.engine.training.networks",
        "workbench.engine.training.losses",
    ),
    "workbench.engine.training.config": (
        *BELOW_TRAINING,
        "workbench.engine.training.run_settings",
        "workbench.engine.training.losses",
    ),
    "workbench.engine.training.fast": (
        *BELOW_TRAINING,
        "workbench.engine.training.losses",
        "workbench.engine.training.fast",
    ),
    "workbench.engine.training": (*BELOW_TRAINING, "workbench.engine.training"),
    "workbench.engine.tasks": (
        "workbench.engine.models",
        "workbench.engine.steering",
        "workbench.engine.data",
        "workbench.engine.tasks",
        "workbench.engine.training.config",
    ),
    "workbench.engine.metrics": (
        "workbench.engine.models",
        "workbench.engine.steering",
        "workbench.engine.tasks",
        "workbench.engine.data",
        "workbench.engine.metrics",
    ),
    "workbench.engine.online": (
        "workbench.engine.models",
        "workbench.engine.steering",
        "workbench.engine.data",
        "workbench.engine.training",
        "workbench.engine.tasks",
        "workbench.engine.metrics",
        "workbench.engine.online",
    ),
    "workbench.engine": (),  # files beside the rooms (allocator, precision): torch and nothing of ours
    "workbench.language": ("workbench.engine", "workbench.language"),
    "workbench.runs": ("workbench.engine", "workbench.runs"),
    "workbench.experiments": ("workbench.engine", "workbench.runs", "workbench.experiments"),
    "workbench.plots": ("workbench.engine", "workbench.plots", "workbench.lazy_names"),
    "workbench.report": (
        "workbench.engine",
        "workbench.experiments",
        "workbench.plots",
        "workbench.views",
        "workbench.elements",
        "workbench.report",
    ),
    "workbench.views": (*BELOW_VIEWS, "workbench.views"),
    # what wb.plots gives, which is loaded by name: it takes stores and runs, whose numbers views work out
    "workbench.elements": (*BELOW_VIEWS, "workbench.views", "workbench.elements"),
    "workbench.ui.browser": ("workbench.ui.browser",),
    "workbench.ui.canvas": (*BELOW_UI, *UI[:1], "workbench.ui.canvas"),
    "workbench.ui.server": (*BELOW_UI, *UI[:1], "workbench.ui.server"),
    "workbench.ui.shell": (*BELOW_UI, *UI[:3], "workbench.ui.shell"),
    "workbench.ui.controls": (*BELOW_UI, *UI[:4], "workbench.ui.controls"),
    "workbench.ui.signin": (*BELOW_UI, *UI[:4], "workbench.ui.signin"),
    "workbench.ui.pages.store_page": (*BELOW_UI, *UI),  # what the pages over the store share
    **{
        f"workbench.ui.pages.{page}": (*BELOW_UI, *UI, "workbench.ui.pages.store_page", f"workbench.ui.pages.{page}")
        for page in (*PAGES, "index")
    },
    "workbench.ui.serve": (*BELOW_UI, *UI[:4], "workbench.ui.signin"),
    "workbench.ui.notebook": (*BELOW_UI, *UI, "workbench.ui.serve", "workbench.ui.notebook"),
    "workbench.course": (*BELOW_UI, "workbench.ui.notebook", "workbench.course"),
    "workbench": ("workbench",),  # the public names and the command line see the whole house
    "apps": ("workbench.ui.shell",),
    "notebooks": ("workbench.ui.notebook", "workbench.course", "workbench.views"),  # as what pages give to copy
}


def files() -> list[Path]:
    """Every Python file of the project, tracked or not."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]


def notebooks() -> list[Path]:
    """Every notebook of the course."""
    return [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]


def module_of(path: Path) -> str:
    """``workbench.engine.data.transitions`` for its file; a package's ``__init__`` is the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Module name and syntax tree of what the law covers: the package, the apps, the code of the notebooks."""
    for path in files():
        if path.is_relative_to(ROOT / "workbench") or path.is_relative_to(ROOT / "apps"):
            yield module_of(path), ast.parse(path.read_text(encoding="utf-8"))
    for path in notebooks():
        yield f"notebooks.{path.stem}", ast.parse(notebook_code(path.read_text(encoding="utf-8")))


def notebook_code(text: str) -> str:
    """The code cells, without shell lines and magics."""
    cells = [cell["source"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = "\n".join(cell if isinstance(cell, str) else "".join(cell) for cell in cells).splitlines()
    return "\n".join("pass" if line.strip().startswith(("%", "!")) else line for line in lines)


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of the imported modules; ``from package import module`` counts as the module where it is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                yield "." * node.level + base
                continue
            for alias in node.names:
                place = ROOT.joinpath(*f"{base}.{alias.name}".split("."))
                yield f"{base}.{alias.name}" if place.is_dir() or place.with_suffix(".py").is_file() else base


def within(module: str, place: str) -> bool:
    """Whether ``module`` is ``place`` or lies below it."""
    return module == place or module.startswith(place + ".")


def closest(module: str, table: dict) -> str | None:
    """The most particular place of ``table`` in which ``module`` lies."""
    return max((place for place in table if within(module, place)), key=len, default=None)


def allowed(module: str, target: str) -> bool:
    """Whether the law lets ``module`` import ``target`` of the workbench."""
    if module == ENGINE:  # engine/__init__.py gathers the engine's names
        return within(target, ENGINE)
    if within(module, ENGINE):
        if target == ENGINE:  # a room that imported the whole engine would import its neighbours
            return False
        if closest(target, LAW) == ENGINE:  # the files beside the rooms serve all of them
            return True
    if module.partition(".")[0] in ("apps", "notebooks") and target == "workbench":  # the public names
        return True
    place = closest(module, LAW)
    return place is not None and any(within(target, door) for door in LAW[place])


def rooms() -> dict[str, set[str]]:
    """Which rooms each room imports; a room is what the law names, a file beside the rooms is one of its own."""
    graph: dict[str, set[str]] = {}
    for name, tree in sources():
        found = {room_of(target) for target in imports(tree) if within(target, "workbench")}
        graph.setdefault(room_of(name), set()).update(found - {room_of(name)})
    return graph


def room_of(module: str) -> str:
    """The room in which a module lies."""
    place = closest(module, LAW) or module.partition(".")[0]
    return ".".join(module.split(".")[: place.count(".") + 2]) if place in ("workbench", ENGINE) else place
