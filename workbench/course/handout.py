"""Handouts: every notebook as a page and as slides, and figures to play with; files that need no network and no server."""

from __future__ import annotations

import ast
import copy
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert.exporters import HTMLExporter
from pygments.formatters import HtmlFormatter

from workbench.course.copies import HOME, lessons
from workbench.engine.data.atomic import folder_at_once
from workbench.engine.words import UserError
from workbench.plots.markup import Markup, html, joined, own
from workbench.plots.mathml import equation
from workbench.ui.notebook.saved_figures import FIGURES, save_figure
from workbench.ui.notebook.widgets import PAPER

HERE = Path(__file__).parent
MATH = re.compile(r"(?<![\\$\w])(\$\$?)(?![\s\d])(.+?)(?<!\s)\1(?![\d$])", re.DOTALL)
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
DRAWING = {
    "subplots",
    "add_subplot",
    "plot",
    "scatter",
    "imshow",
    "contour",
    "contourf",
    "hist",
    "quiver",
    "pcolormesh",
}
TIMEOUT = 300  # seconds for one cell


def write_handout(out: Path, chosen: Sequence[Path] = (), figures: bool = True) -> Iterator[str]:
    """Write a folder of HTML files; says each file when it is there.

    Parameters
    ----------
    out : Path
        Must not exist; it appears when everything is done.
    chosen : sequence of Path
        Notebooks; those of the course without any.
    figures : bool
        Also write the interactive figures.

    Raises
    ------
    UserError
        ``out`` exists, a notebook is missing, or one of its cells fails.
    """
    if out.exists():
        raise UserError(f"{out} exists; choose another folder or delete it first")
    sources = list(chosen) or lessons()
    for source in sources:
        if source.suffix != ".ipynb" or not source.is_file():
            raise UserError(f"{source} is not a notebook")
    with folder_at_once(out) as draft:
        entries = []
        for source in sources:
            notebook = with_set_math(executed(source))
            title = title_of(notebook, source.stem)
            (draft / f"{source.stem}.html").write_text(page(notebook, title), encoding="utf-8")
            (draft / f"{source.stem}-slides.html").write_text(slides(notebook, title), encoding="utf-8")
            entries.append((source.stem, title))
            yield f"{out / source.stem}.html and -slides.html"
        for name, figure in FIGURES.items() if figures else ():
            save_figure(draft / f"figure-{name}.html", figure)
            yield f"{out}/figure-{name}.html"
        (draft / "index.html").write_text(index(entries, figures), encoding="utf-8")
    yield f"open {out / 'index.html'}"


def executed(source: Path) -> Any:
    """Run a notebook from top to bottom in a folder of its own, its components showing stills."""
    notebook = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory() as name:
        if (HOME / "data").is_dir():
            shutil.copytree(HOME / "data", Path(name) / "data")
        client = NotebookClient(
            notebook, timeout=TIMEOUT, kernel_name="python3", resources={"metadata": {"path": name}}
        )
        try:
            client.execute(env=os.environ | {PAPER: "1"}, stderr=subprocess.DEVNULL)  # the kernel's own remarks
        except Exception as error:  # nbclient has several
            last = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()[-1]
            raise UserError(f"{source} does not run to its end: {last}") from None
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [item for item in cell.outputs if item.get("name") != "stderr"]
            for item in cell.outputs:
                if "image/png" in item.get("data", {}):
                    item.metadata["image/png"] = {"alt": item.data.get("text/plain", "picture")}
    notebook.metadata.pop("widgets", None)  # what the forms would need to live; on paper they are words
    return notebook


def with_set_math(notebook: Any) -> Any:
    """Replace the formulas in Markdown cells by MathML; what cannot be typeset stays as it is written."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            pieces = CODE.split(cell.source)
            cell.source = "".join(piece if odd % 2 else MATH.sub(_set, piece) for odd, piece in enumerate(pieces))
    return notebook


def _set(match: re.Match[str]) -> str:
    latex = " ".join(match[2].split())
    mathml = equation(latex, "block" if match[1] == "$$" else "inline")
    if mathml is None:
        return match[0]
    return mathml.translate({ord(sign): f"&#{ord(sign)};" for sign in "*_`\\"})  # which Markdown would take for its own


def title_of(notebook: Any, default: str) -> str:
    """The first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return str(cell.source.splitlines()[0][2:].strip())
    return default


def body_of(notebook: Any) -> Markup:
    """The cells as HTML, without a page around them."""
    exporter = HTMLExporter(
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, exclude_anchor_links=True
    )
    return own(exporter.from_notebook_node(notebook)[0])


def _frame(title: str, body: Markup, script: Markup | str = "", kind: str = "page") -> str:
    colours = HtmlFormatter().get_style_defs(".highlight")
    style = (HERE / "handout.css").read_text(encoding="utf-8")
    shown = html(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<style>{}\n{}</style></head><body class="{}">\n{}\n{}</body></html>\n',
        title,
        own(colours),
        own(style),
        kind,
        body,
        script,
    )
    return str(shown)


def page(notebook: Any, title: str) -> str:
    """A notebook as one page."""
    return _frame(title, html("<main>{}</main>", body_of(notebook)))


def draws(source: str) -> bool:
    """Whether a cell's code is about a figure: its lines say how to draw, not what is taught."""
    try:
        calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:  # a magic
        return False
    return bool({call.attr for call in calls if isinstance(call, ast.Attribute)} & DRAWING)


def on_slide(cell: Any) -> Any:
    """A cell as a slide shows it: of one that draws, or is tagged "plot", the picture alone."""
    if cell.cell_type != "code" or not ("plot" in cell.metadata.get("tags", []) or draws(cell.source)):
        return cell
    shown = copy.deepcopy(cell)
    shown.metadata["transient"] = {"remove_source": True}
    return shown


def slides(notebook: Any, title: str) -> str:
    """A notebook as slides: one for each heading, moved by arrow keys or by scrolling.

    Code that draws is left out. A slide that is taller than the window goes on in the next one (slides.js).
    """
    groups: list[list[Any]] = []
    for cell in notebook.cells:
        # A heading in the middle of a cell begins a slide too.
        texts = re.split(r"^(?=#{1,2} )", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else []
        for piece in [nbformat.v4.new_markdown_cell(text) for text in texts if text.strip()] or [cell]:
            if not groups or (piece.cell_type == "markdown" and re.match(r"#{1,2} ", piece.source)):
                groups.append([])
            groups[-1].append(piece)
    sections = Markup()
    for cells in groups:
        part = nbformat.v4.new_notebook(cells=[on_slide(cell) for cell in cells], metadata=notebook.metadata)
        sections += html('<section class="slide">{}</section>\n', body_of(part))
    script = html('<script type="module">{}</script>', own((HERE / "slides.js").read_text(encoding="utf-8")))
    return _frame(title, sections, script, kind="slides")


def index(entries: list[tuple[str, str]], figures: bool) -> str:
    """The page that leads to the others."""
    rows = joined(
        html(
            '<li><a href="{stem}.html">{title}</a> · <a href="{stem}-slides.html">slides</a></li>',
            stem=stem,
            title=title,
        )
        for stem, title in entries
    )
    more = joined(html('<li><a href="figure-{}.html">{}</a></li>', name, f.title) for name, f in FIGURES.items())
    extra = html("<h2>Figures to play with</h2><ul>{}</ul>", more) if figures else ""
    return _frame("Handouts", html("<main><h1>Value-guided flow policies</h1><ul>{}</ul>{}</main>", rows, extra))
