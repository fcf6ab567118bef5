"""HTML is written in one way: constant templates of `workbench.plots.markup`, whose values are escaped."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILDER, PANE = "workbench/plots/markup.py", "workbench/ui/shell/html_pane.py"
TAG = re.compile(
    r"<(?:!--|!doctype|/?(?:a|abbr|b|body|br|button|code|dd|details|div|dl|dt|em|figcaption|figure|form|h[1-6]|head|html|i|"
    r"iframe|img|input|li|link|main|meta|nav|ol|option|p|pre|script|section|select|small|span|strong|style|sub|summary|sup|"
    r"svg|table|tbody|td|th|thead|title|tr|u|ul|video)(?=[\s>/{]|$))",
    re.IGNORECASE,
)
# What other programs made for us: equations, charts, highlighted code, run notebooks, style sheets and scripts of the package.
OWN = {
    "workbench/ui/controls/equations.py": 1,
    "workbench/report/page.py": 5,
    "workbench/course/beside.py": 2,
    "workbench/course/handout.py": 4,
}


def findings(tree: ast.Module, name: str) -> Iterator[str]:
    """What breaks the rule in one file."""
    owned = 0
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values) if any(isinstance(value, ast.FormattedValue) for value in values):
                if TAG.search("".join(value.value for value in values if isinstance(value, ast.Constant))):
                    yield f"{name}:{node.lineno}: an f-string with a tag"
            case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right):
                if any(tagged(side) and not constant(other) for side, other in ((left, right), (right, left))):
                    yield f"{name}:{node.lineno}: a tag and a value put together"
            case ast.Call(func=ast.Attribute(value=value, attr="format" | "format_map" | "join" | "replace")) if tagged(
                value
            ):
                yield f"{name}:{node.lineno}: a tag and a value put together"
            case ast.Call(func=ast.Name(id="html"), args=args):
                if not args or not constant(args[0]):
                    yield f"{name}:{node.lineno}: a template that is not written out"
            case ast.Call(func=ast.Name(id="joined"), args=[_, between]) if not constant(between):
                yield f"{name}:{node.lineno}: a template that is not written out"
            case ast.Call(func=ast.Name(id="Markup") | ast.Attribute(attr="Markup"), args=args) if (
                args and name != BUILDER
            ):
                yield f"{name}:{node.lineno}: a Markup from a value"
            case ast.Call(func=ast.Name(id="own")):
                owned += 1
            case ast.Attribute(attr="HTML" | "Markdown", value=ast.Attribute(attr="pane")) if name != PANE:
                yield f"{name}:{node.lineno}: a pane that does not escape"
            case ast.ImportFrom(module="html") | ast.Import(names=[ast.alias(name="html")]):
                yield f"{name}:{node.lineno}: escaping by hand"
    if owned != OWN.get(name, 0):
        yield f"{name}: {owned} uses of own(), {OWN.get(name, 0)} are known"


def constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def tagged(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and TAG.search(node.value) is not None


def test_html_is_made_by_the_builder_alone() -> None:
    paths = sorted((ROOT / "workbench").rglob("*.py"))
    found = [
        line
        for path in paths
        for line in findings(ast.parse(path.read_text(encoding="utf-8")), path.relative_to(ROOT).as_posix())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        'f"<b>{name}</b>"',
        'f"<tr>" f"<td>{name}"',
        '"<li>" + name',
        '"<p>%s</p>" % name',
        '"<p>{}</p>".format(name)',
        '"<br>".join(names)',
        "html(name)",
        'html("<p>" + name)',
        "joined(names, name)",
        "Markup(name)",
        "markupsafe.Markup(name)",
        "own(name)",
        "pn.pane.HTML(name)",
        "from html import escape",
        "import html",
    ],
)
def test_the_rule_sees_what_breaks_it(code: str) -> None:
    assert list(findings(ast.parse(code), "workbench/ui/somewhere.py"))


def test_the_rule_leaves_the_rest_alone() -> None:
    code = 'html("<p>{}</p>", name); f"{low} < {high}"; f"{prefix}/<id>"; joined(parts, "<br>"); Markup(); f"{a}<{b}"'
    assert not list(findings(ast.parse(code), "workbench/ui/somewhere.py"))
