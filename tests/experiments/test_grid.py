"""Grids: what the flags mean, which jobs they make, and the command that a grid writes down."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.cli import main
from workbench.experiments.grid import Grid, parse_axes, parse_seeds, parse_values, spell_seeds
from workbench.experiments.sweep import SweepProgress


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0,0.03,0.1,0.3,1,3,10,30", (0, 0.03, 0.1, 0.3, 1, 3, 10, 30)),
        ("1", (1,)),
        ("1..4", (1, 2, 3, 4)),
        ("1,3..5,9", (1, 3, 4, 5, 9)),
        ("greedy,uniform", ("greedy", "uniform")),
        ("[64,64],[8]", ([64, 64], [8])),
        ("true,false", (True, False)),
        ("1e-3,2e-3", (0.001, 0.002)),
        ("0.3,0.3,1", (0.3, 1)),
    ],
)
def test_values(text: str, values: tuple[Any, ...]) -> None:
    assert parse_values(text) == values


@pytest.mark.parametrize(("text", "seeds"), [("0..4", (0, 1, 2, 3, 4)), ("7", (7,)), ("0,2,5..6", (0, 2, 5, 6))])
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1.5", "4..0", "0...4", "1,,2", "true", "0..9999999"])
def test_wrong_seeds(text: str) -> None:
    with pytest.raises(ValueError, match=r"0\.\.4|range"):
        parse_seeds(text)


@given(st.lists(st.integers(0, 30), min_size=1, unique=True).map(tuple))
def test_seeds_survive_their_spelling(seeds: tuple[int, ...]) -> None:
    assert parse_seeds(spell_seeds(seeds)) == seeds


@pytest.mark.parametrize("pair", ["weight", "=1", "weight="])
def test_wrong_axes(pair: str) -> None:
    with pytest.raises(ValueError, match="--grid takes name=value"):
        parse_axes(((pair,),))
    with pytest.raises(ValueError, match="weight twice"):
        parse_axes((("weight=1",), ("weight=2",)))


def grid(**given_: Any) -> Grid:
    return Grid(**{"tasks": ("three_exits",), "rules": ("qgf",)} | given_)


def test_the_grid_of_the_manual() -> None:
    jobs = grid(axes=parse_axes((("weight=0,0.03,0.1,0.3,1,3,10,30",),)), seeds=parse_seeds("0..4")).jobs()
    assert len(jobs) == len({job.key for job in jobs}) == 40
    assert len({job.training_key for job in jobs}) == 5
    assert {job.settings["weight"] for job in jobs} == {0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0}


def test_an_axis_is_of_every_rule_that_has_it_and_of_no_other() -> None:
    jobs = grid(
        rules=("bc", "qgf", "vgf"), axes={"weight": (0.1, 1), "vgf.steps": (1, 3, 10), "fit.tau": (0.01, 0.02)}
    ).jobs()
    count = {name: sum(job.rule == name for job in jobs) for name in ("bc", "qgf", "vgf")}
    assert count == {"bc": 2, "qgf": 4, "vgf": 6}
    assert {job.training["tau"] for job in jobs} == {0.01, 0.02}


def test_a_job_that_two_spellings_ask_for_is_there_once() -> None:
    assert len(grid(axes={"weight": (1, 1.0)}).jobs()) == 1


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"wieght": (1,)}, "rule 'qgf' has no setting 'wieght'; did you mean 'weight'?"),
        ({"expectile": (0.7,)}, "write fit.expectile"),
        ({"fit.expektile": (0.7,)}, "did you mean 'expectile'?"),
        ({"fit.seed": (1,)}, "training has no setting 'seed'"),
        ({"vgf.steps": (1,)}, "'vgf', which is not among the rules here"),
        ({"weight": (1, -1)}, "allowed: 0 to 10000"),
        ({"weight": tuple(range(10_000)), "particles": tuple(range(1, 101))}, "more than 100,000"),
        ({"weight": ()}, "has no values"),
    ],
)
def test_wrong_grids(axes: dict[str, tuple[Any, ...]], words: str) -> None:
    with pytest.raises(ValueError) as caught:
        grid(axes=axes).jobs()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "given_",
    [
        {},
        {
            "rules": ("qgf", "vgf"),
            "axes": {"weight": (0.0, 0.3), "vgf.steps": (1, 2)},
            "seeds": (0, 1, 2),
            "episodes": 7,
        },
        {"axes": {"fit.hidden": ((8, 8), (4,)), "pick": ("greedy", "uniform")}, "seeds": (5,)},
    ],
)
def test_the_command_of_a_grid_asks_for_the_same_jobs(
    given_: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def record(asked: Grid, *_: object, **__: object) -> Iterator[SweepProgress]:
        seen.append(asked)
        yield SweepProgress(0, 0)

    seen: list[Grid] = []
    monkeypatch.setattr("workbench.experiments.sweep.sweep", record)
    monkeypatch.chdir(tmp_path)
    wanted = grid(**given_)
    words = shlex.split(wanted.command("a store"))
    assert words[0] == "workbench"
    main(words[1:])
    assert [job.key for job in seen[0].jobs()] == [job.key for job in wanted.jobs()]
    assert (tmp_path / "a store" / "store.json").exists()
