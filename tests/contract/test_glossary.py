"""One word per number: pages, JSON, CSV, tables, report, docs and lessons say what the glossary says, and no retired word."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from contract.scenes import make_parts

from workbench.engine.glossary import TERM, TERMS, Term, numbers_of, term
from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.tasks.registry import make_task
from workbench.engine.vocabulary import RETIRED, WORDS
from workbench.experiments.row import Row
from workbench.experiments.summary import MEASURES
from workbench.report.tables import SHOWN
from workbench.views.episodes import Play
from workbench.views.numbers import Numbers
from workbench.views.stage_numbers import stage_numbers

ROOT = Path(__file__).resolve().parents[2]
LABELS = {term.short for term in TERMS}
# What a measurement says beside its numbers: who, where, how often.
ABOUT = {
    "version", "task", "rule", "settings", "episodes", "seed", "chunk", "latency",
    "states.from", "states.count", "mmd_bound.unproven",
}  # fmt: skip
# Names in code, where a retired word may stand: the upgrade of old files, and the list of retired words itself.
MAY = {"docs/glossary.md", "workbench/experiments/upgrade.py", "workbench/engine/vocabulary.py"}


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Keys of a nested measurement, dots between; an interval and a table of named shares are one."""
    if (
        isinstance(value, dict)
        and path not in ("settings", "latency", "coverage.shares")
        and not {"mean", "low", "high"} <= value.keys()
    ):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path


@pytest.mark.parametrize("name", RULES)
def test_every_key_of_a_measurement_is_in_the_glossary(name: str) -> None:
    task = make_task("bandit1d")
    parts = replace(task.parts(), extra=make_parts(1, 1).extra)
    found = evaluate(make_rule(name), parts, task, 4, 0).as_dict()
    for key in leaves(found):
        key = key.removesuffix("_interval")  # the interval of the number before it
        assert key in TERM or key in ABOUT or key in {"mmd_bound", "support", "coverage"}, (
            key
        )  # groups that are not measured


def test_every_term_is_complete_and_its_function_exists() -> None:
    assert len({found.key for found in TERMS}) == len(TERMS)
    assert len({found.label for found in TERMS if not found.key.startswith("state.")}) == len(
        [found for found in TERMS if not found.key.startswith("state.")]
    )
    for found in TERMS:
        assert found.label, found.key
        assert found.meaning, found.key
        assert found.hides, found.key
        assert callable_of(found) is not None, found.key
    with pytest.raises(ValueError, match="is no number of the glossary"):
        term("q_estimate")


def callable_of(found: Term) -> Any:
    parts = found.function.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        try:
            place: Any = importlib.import_module("workbench." + ".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            place = getattr(place, name)
        return place
    return None


def test_lists_of_measures_are_of_the_glossary() -> None:
    assert set(MEASURES) <= set(TERM)
    assert set(SHOWN) <= set(TERM)
    for name in ("shift", "transport", "gap"):
        assert name in Row.__dataclass_fields__
    assert set(numbers_of({"gap": {"mean": 1.0, "low": 0.0, "high": 2.0}, "shift": {"w2": 0.5}, "else": 1})) == {
        "gap",
        "shift.w2",
    }


@pytest.mark.parametrize("pays", [True, False])
@pytest.mark.parametrize("modes", [None, 2])
def test_the_numbers_under_a_stage_are_of_the_glossary(pays: bool, modes: int | None) -> None:
    earned = 0.5 if pays else None
    numbers = Numbers(1.0, earned, earned, 0.2, 0.1, 0.01, 0.1, 0.0, 0.9, 1.0, modes)
    ones = torch.ones(2).numpy()
    play = Play(torch.zeros(2, 3, 2).numpy(), ones, ones, ones, "main exit", 0.5)
    for label, _, meaning in stage_numbers(numbers, play, "main exit", 4).rows:
        assert label in LABELS or label == "Main exit"
        assert any(meaning.startswith(found.hint) for found in TERMS) or label == "Main exit"


def strings(path: Path) -> Iterator[str]:
    """Text that people may read: strings of a Python file, the cells of a notebook, all of another file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
        yield from (value for value in constants if isinstance(value, str))
    elif path.suffix == ".ipynb":
        yield from ("".join(cell["source"]) for cell in json.loads(text)["cells"])
    else:
        yield text


def texts() -> list[Path]:
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    kinds = {"workbench": (".py", ".js", ".html"), "notebooks": (".ipynb", ".md"), "benchmarks": (".py",)}
    for folder, endings in kinds.items():
        found += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in endings]
    names = {path: path.relative_to(ROOT).as_posix() for path in found}
    return [path for path, name in names.items() if name not in MAY and ".ipynb_checkpoints" not in name]


@pytest.mark.parametrize("word", RETIRED)
def test_no_retired_word_stands_anywhere(word: str) -> None:
    pattern = re.compile(rf"(?<![\w-]){re.escape(word)}s?(?![\w-])")
    where = [
        path.relative_to(ROOT).as_posix() for path in texts() if any(pattern.search(text) for text in strings(path))
    ]
    assert where == [], f"'{word}' is now called '{RETIRED[word]}'"


def test_the_glossary_page_is_what_the_glossary_says() -> None:
    from workbench.glossary_page import page

    assert (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8") == page(), (
        "run: python -m workbench.glossary_page docs/glossary.md"
    )
    for word in WORDS:
        assert word in page()


def test_every_lesson_and_the_readme_link_the_glossary() -> None:
    assert "docs/glossary.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        assert "glossary.md" in path.read_text(encoding="utf-8"), path.name
