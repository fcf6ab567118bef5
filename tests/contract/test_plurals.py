"""Numbers stand beside the right form of their noun: `counted` makes "1 run" and "2 runs", and nobody writes "run(s)"."""

import ast
import re
from pathlib import Path

from workbench.engine.words import counted

LAZY = re.compile(r"(?<![\\a-z])[a-z]{3,}\(s\)")  # but \mu(s), \sigma(s) in equations


def test_counted() -> None:
    assert [counted(number, "run") for number in (0, 1, 2, 12345)] == ["0 runs", "1 run", "2 runs", "12,345 runs"]
    assert [counted(number, "entry", "entries") for number in (1, 3)] == ["1 entry", "3 entries"]


def test_no_text_leaves_the_form_to_the_reader(root: Path) -> None:
    found = []
    for path in sorted((root / "workbench").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and LAZY.search(node.value):
                found.append(f"{path.relative_to(root)}:{node.lineno}")
    assert found == []
