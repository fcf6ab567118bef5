"""The command of one run asks for that run and no other."""

import shlex

import pytest

from workbench.engine.steering.rules import RULES
from workbench.experiments.grid import Grid, parse_axes, parse_seeds
from workbench.experiments.redo import grid_of, redo_command
from workbench.experiments.sweep import record_of


def read_again(command: str) -> Grid:
    """The grid that a command line asks for, read with the engine's own parsers."""
    words = shlex.split(command)
    at = {word: number for number, word in enumerate(words) if word.startswith("--")}
    axes = words[at["--grid"] + 1 : at["--seeds"]] if "--grid" in at else []
    return Grid(
        tasks=(words[at["--task"] + 1],),
        rules=(words[at["--rule"] + 1],),
        axes=parse_axes((tuple(axes),)),
        seeds=parse_seeds(words[at["--seeds"] + 1]),
        episodes=int(words[at["--episodes"] + 1]),
    )


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_done_again_as_it_was(rule: str) -> None:
    extra = {} if RULES[rule].bc_at == {} else {"particles": (4,)}
    grid = Grid(
        tasks=("bandit2d",),
        rules=(rule,),
        axes={name: values for name, values in extra.items() if name in RULES[rule].model_fields}
        | {"fit.steps": (70,), "fit.hidden": ([8, 8],), "fit.expectile": (0.8,), "fit.critic": ("iql", "td_vgf")},
        seeds=(0, 3),
        episodes=7,
    )
    for job in grid.jobs():
        record = record_of(job)
        assert [one.key for one in grid_of(record).jobs()] == [job.key]
        assert [one.key for one in read_again(redo_command(record, "a store")).jobs()] == [job.key]
