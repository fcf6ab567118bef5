"""An equation next to the lines that compute it, read from the source itself so that the two cannot drift apart."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from workbench.engine.words import UserError
from workbench.plots.markup import html, joined, own
from workbench.plots.mathml import equation


@dataclass(frozen=True)
class Side:
    """Equation and code side by side.

    Attributes
    ----------
    equation : str
        LaTeX.
    code : str
        The lines, without docstring.
    where : str
        File and first line.
    """

    equation: str
    code: str
    where: str

    def __repr__(self) -> str:
        return f"{self.equation}\n\n{self.code}\n({self.where})"

    def _repr_html_(self) -> str:
        parts = [part for part in self.equation.split(r"\quad") if part.strip(" ,")]
        set_parts = [(equation(part.strip(" ,"), "block"), part) for part in parts]
        lines = joined(
            html('<div style="margin:8px 0">{}</div>', own(found) if found else html("<code>{}</code>", part))
            for found, part in set_parts
        )
        code = highlight(self.code, PythonLexer(), HtmlFormatter(noclasses=True, nobackground=True))
        shown = html(
            '<div class="wb-source" style="display:flex;flex-wrap:wrap;gap:12px 32px;align-items:flex-start">'
            '<div style="flex:0 1 auto;min-width:200px">{}</div>'
            '<div style="flex:1 1 460px;overflow-x:auto">{}<small>{}</small></div></div>',
            lines,
            own(code),
            self.where,
        )
        return str(shown)


def source(thing: Callable[..., Any], equation: str = "") -> Side:
    """Show the code of a function next to its equation.

    Parameters
    ----------
    thing : callable
        A function, or a method of a rule: ``wb.RULES["qgf"].guidance``.
    equation : str, optional
        LaTeX; by default that of the rule, or of the first ``.. math::`` in the docstring.

    Raises
    ------
    UserError
        Its source cannot be found, or there is no equation.
    """
    try:
        lines, first = inspect.getsourcelines(thing)
        file = inspect.getsourcefile(thing) or ""
    except (TypeError, OSError):
        raise UserError(f"the source of {thing!r} cannot be found; name a function or a method") from None
    text = textwrap.dedent("".join(lines))
    latex = equation or _equation_of(thing)
    if not latex:
        raise UserError(f"{thing!r} states no equation; give one: source({getattr(thing, '__name__', 'f')}, r'a + b')")
    place = file.replace("\\", "/").rpartition("/workbench/")
    where = f"workbench/{place[2]}" if place[1] else "this notebook"
    return Side(latex, without_docstring(text), f"{where}, line {first}")


def without_docstring(text: str) -> str:
    """The lines of one function, its docstring left out."""
    tree = ast.parse(text).body[0]
    assert isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.Expr))
    lines = text.splitlines()
    body = getattr(tree, "body", [])
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del lines[body[0].lineno - 1 : body[0].end_lineno]
    return "\n".join(lines).rstrip()


def _equation_of(thing: object) -> str:
    owner = getattr(inspect.getmodule(thing), getattr(thing, "__qualname__", "").partition(".")[0], None)
    stated = getattr(owner, "equation", None)
    if isinstance(owner, type) and isinstance(stated, str):
        return stated
    _, mark, after = (inspect.getdoc(thing) or "").partition(".. math::")
    return " ".join(after.split("\n\n")[0].split()) if mark else ""
