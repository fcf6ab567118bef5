"""Numbers that people read are written in one way, `workbench.engine.digits`: no powers of e, minus signs that are ones."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.engine.digits import exact, figure, rounded, short

READ = ("report", "views", "ui", "elements", "plots")  # rooms whose words people read; snippets and links among them
OTHER = re.compile(r"[gGeE]$")  # a format that may write 1e-05
BROWSER = re.compile(r"\.to(Exponential|Precision)\(")
EXACT_INPUT = "canvas/dial_picture.js"  # a tick, made a number again


def formats(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every format in an f-string or a string with braces."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
            parts = [part.value for part in node.format_spec.values if isinstance(part, ast.Constant)]
            yield node.lineno, str(parts[-1]) if parts else ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, found) for found in re.findall(r"\{\w*:([-+#0-9.]*[gGeE])\}", node.value))


def test_no_room_that_people_read_writes_numbers_its_own_way(root: Path) -> None:
    found = [
        f"{path.relative_to(root)}:{line}"
        for room in READ
        for path in sorted((root / "workbench" / room).rglob("*.py"))
        for line, text in formats(ast.parse(path.read_text(encoding="utf-8")))
        if OTHER.search(text)
    ]
    assert found == []


def test_no_script_of_a_page_does(root: Path) -> None:
    scripts = sorted((root / "workbench" / "ui").rglob("*.js"))
    assert scripts
    found = [path for path in scripts if BROWSER.search(path.read_text(encoding="utf-8"))]
    assert [path for path in found if not path.as_posix().endswith(EXACT_INPUT)] == []


@pytest.mark.parametrize("code", ["f'{x:g}'", "f'{x:.3g}'", "f'{x:.{n}e}'", "'{:g}'.format", "'{:.2e}'.format(x)"])
def test_the_check_catches(code: str) -> None:
    assert any(OTHER.search(text) for _, text in formats(ast.parse(code)))


@pytest.mark.parametrize("code", ["f'{x:.3f}'", "f'{x:,}'", "f'{x!r}'", "'{:>8}'.format", "f'{exact(x)}'"])
def test_the_check_lets_pass(code: str) -> None:
    assert not any(OTHER.search(text) for _, text in formats(ast.parse(code)))


@pytest.mark.parametrize("value", [1e-7, 1.5e-5, 0.3, 1.0, 12.25, 1e5, 123456.0, 2.5e9])
@pytest.mark.parametrize("sign", [1, -1])
def test_settings_are_as_they_were_typed(value: float, sign: int) -> None:
    text = exact(sign * value)
    assert float(text) == sign * value
    assert not re.search("e|,", text)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.012345, 3, "0.0123"),
        (-4.567, 3, "−4.57"),
        (12345.6, 3, "12,300"),
        (1234.56, 6, "1,234.56"),
        (999.96, 4, "1,000"),
        (0.0, 3, "0"),
        (-0.0, 3, "0"),
        (1.234e-9, 3, "1.23 × 10⁻⁹"),
        (-2e-5, 1, "−2 × 10⁻⁵"),
        (1e14, 2, "1.0 × 10¹⁴"),
        (float("inf"), 3, "inf"),
    ],
)
def test_measured_numbers_keep_their_digits(value: float, digits: int, text: str) -> None:
    assert short(value, digits) == text
    assert rounded(0.012345, 3) == 0.0123
    assert figure(-1234.5) == "−1,234"
