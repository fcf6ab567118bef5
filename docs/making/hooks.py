"""What is added while the site is built: equations, pages from files outside ``docs/``, and lists of pages.

MkDocs calls the ``on_…`` functions. Pages are written to be read on a forge as well, so what differs on the site is done here.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]  # the workbench of this clone, and docs.making
# Pages that stand outside docs/, by their name on the site.
OUTSIDE = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "course.md": "notebooks/README.md",
    "conduct.md": "CODE_OF_CONDUCT.md",
}
TWIN = {ROOT / "README.md": "index.md", ROOT / "SECURITY.md": "security.md"}  # files that say the same as a page
SPLIT = ("engine", "ui")  # whose rooms have a page each
NO_ROOM = ("commands",)  # the command line; `workbench --help` is its reference
PUBLIC = re.compile(r"^::: wb\.(\w+)$", re.M)  # a public name in docs/reference
# A fenced block, a link, or code: whichever begins first. Links inside of code stay as they are.
PIECE = re.compile(r"```.*?```|(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)|`[^`\n]*`", re.S)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Equations become MathML, anchors are those of a forge, and folders in ``nav`` become their pages."""
    fence = {"name": "math", "class": "math", "format": equation}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    config.nav = opened(config.nav)
    return config


def equation(source: str, *_: Any, **__: Any) -> str:
    """A block of LaTeX as MathML, which browsers draw without a script."""
    return f'<div class="equation">{convert(source.strip(), display="block")}</div>'


def opened(nav: Any) -> Any:
    """``nav`` with each folder (a name that ends in ``/``) replaced by its pages, the index first."""
    if isinstance(nav, dict):
        return {title: opened(item) for title, item in nav.items()}
    if isinstance(nav, str):
        return pages_of(nav) if nav.endswith("/") else nav
    found = []
    for item in nav:
        made = opened(item)
        found += made if isinstance(item, str) and item.endswith("/") else [made]
    return found


def pages_of(folder: str) -> list[str]:
    """The pages in a folder of ``docs/``, the index first."""
    if folder == "reference/rooms/":
        return [f"{folder}{name}.md" for name in rooms()]
    names = sorted(path.name for path in (ROOT / "docs" / folder).glob("*.md"))
    return [folder + name for name in sorted(names, key=lambda name: name not in ("README.md", "index.md"))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere in the repository, and a page for each room of the package."""
    for name, path in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / path).read_text(encoding="utf-8")))
    for name in rooms():
        files.append(File.generated(config, f"reference/rooms/{name}.md", content=room_page(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to files outside ``docs/`` at their page on the site; where there is none, keep the words alone."""
    source = page.file.src_uri
    markdown = PUBLIC.sub(shown, markdown)
    here = (ROOT / OUTSIDE.get(source, f"docs/{source}")).parent

    def pointed(found: re.Match[str]) -> str:
        mark, words, target = found.groups()
        if target is None:
            return found[0]
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return found[0]
        meant = (here / path).resolve()
        for name, outside in OUTSIDE.items():
            if meant == ROOT / outside:
                return f"{mark}[{words}]({up(source)}{name}{hash_}{anchor})"
        if meant in TWIN:
            return f"{mark}[{words}]({up(source)}{TWIN[meant]})"
        if meant.is_relative_to(ROOT / "docs"):
            if meant.is_dir():
                meant /= "README.md"
            return f"{mark}[{words}]({up(source)}{meant.relative_to(ROOT / 'docs').as_posix()}{hash_}{anchor})"
        return words

    return PIECE.sub(pointed, markdown)


def shown(found: re.Match[str]) -> str:
    """What mkdocstrings reads for ``::: wb.NAME``."""
    from docs.making.homes import home_of  # imports torch, which only the reference needs

    return f"::: {home_of(found[1])}\n    options: {{heading_level: 3, show_if_no_docstring: true, skip_local_inventory: true}}"


def up(source: str) -> str:
    """``../`` as often as the page lies below the top."""
    return "../" * source.count("/")


# --- the rooms --------------------------------------------------------------------------------------------------


def rooms() -> dict[str, Path]:
    """Name and folder of each room."""
    package = ROOT / "workbench"
    above = [package, *(package / name for name in SPLIT)]
    folders = [path for place in above for path in sorted(place.iterdir()) if (path / "__init__.py").is_file()]
    both = sorted(path for path in folders if path not in above and path.name not in NO_ROOM)
    return {".".join(path.relative_to(package).parts): path for path in both}


def room_page(name: str) -> str:
    """The modules of a room, each with what it says of itself and its public names."""
    folder = rooms()[name]
    text = [f"# {name}", doc_of(folder / "__init__.py")]
    for path in sorted(folder.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if path.stem.startswith("_") or not doc_of(path) or not public(path):
            continue
        text.append(
            f"## {module.removeprefix(f'workbench.{name}.')}\n\n::: {module}\n    options:\n      heading_level: 2\n"
            "      show_root_heading: false\n      show_root_toc_entry: false\n"
        )
    return "\n\n".join(part for part in text if part) + "\n"


def doc_of(path: Path) -> str:
    """A module's docstring."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def public(path: Path) -> bool:
    """Whether a module has a documented class or function without an underscore."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    return any(
        isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_") and ast.get_docstring(node)
        for node in nodes
    )
