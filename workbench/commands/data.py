"""``workbench data describe | add | list`` and ``workbench record``: data of your own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from workbench.commands.flags import SEEDS, Json, Settings, TaskName, check_range, parse_settings, quoted
from workbench.console import print_json, print_table
from workbench.engine.words import UserError, counted

if TYPE_CHECKING:  # the command line starts without torch
    from workbench.engine.models.parts import Parts
    from workbench.engine.steering.protocol import Rule
    from workbench.engine.tasks.record import Policy


Source = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PATH")]
Columns = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]
Column = Annotated[str, tyro.conf.arg(metavar="NAME")]


def describe(
    path: Source,
    observations: Columns = (),
    actions: Columns = (),
    reward: Column = "",
    terminal: Column = "",
    timeout: Column = "",
    episode: Column = "",
    as_json: Json = False,
) -> None:
    """Say what a dataset holds, what would be left out, and how to train on it. Nothing is changed or written.

    Args:
        path: File or folder: npz, HDF5 (D4RL, robomimic), parquet, CSV, LeRobotDataset, zarr, shards.
        observations: Columns or entries to observe, in this order, where the file's own names do not say so.
        actions: Columns of actions.
        reward: Column of rewards.
        terminal: Column that is 1 where an episode ended by itself.
        timeout: Column that is 1 where it was cut off.
        episode: Column with the number of the episode.
    """
    from workbench.engine.data.describe import describe as look
    from workbench.engine.data.formats.found import ColumnNames

    found = look(path, ColumnNames(observations, actions, reward, terminal, timeout, episode))
    if as_json:
        print_json(found.as_dict())
        return
    print_table(("what", "found"), found.account())
    for note in found.notes:
        print(f"note: {note}")
    if found.picture:
        return
    flags = {"observations": observations, "actions": actions}
    more = "".join(f" --{name} {' '.join(map(quoted_word, words))}" for name, words in flags.items() if words)
    singles = {"reward": reward, "terminal": terminal, "timeout": timeout, "episode": episode}
    more += "".join(f" --{name} {quoted_word(word)}" for name, word in singles.items() if word)
    print(f"keep it as a task: workbench data add {quoted(path)} --name NAME{more}")
    print("then train on it:  workbench fit data/NAME --out RUN")
    print("with an environment of yours: workbench fit gym/ID --data FILE --out RUN (npz and D4RL's HDF5)")


def quoted_word(word: str) -> str:
    """``word`` as one word of a shell command."""
    return quoted(Path(word)) if "/" not in word else f"'{word}'"


def add(
    path: Source,
    name: str,
    observations: Columns = (),
    actions: Columns = (),
    reward: Column = "",
    terminal: Column = "",
    timeout: Column = "",
    episode: Column = "",
) -> None:
    """Convert a dataset once and keep it as the task data/NAME, which is trained on, steered and measured without episodes.

    Args:
        path: File or folder, as of workbench data describe, which shows what will be read.
        name: Letters, digits, - and _.
        observations: As of workbench data describe.
        actions: As of workbench data describe.
        reward: As of workbench data describe.
        terminal: As of workbench data describe.
        timeout: As of workbench data describe.
        episode: As of workbench data describe.
    """
    from workbench.engine.data.formats.found import ColumnNames
    from workbench.engine.data.own_datasets import add_dataset, datasets_folder

    names = ColumnNames(observations, actions, reward, terminal, timeout, episode)
    about = add_dataset(path, name, names)
    for note in about.notes:
        print(f"note: {note}")
    print(
        f"{datasets_folder() / name}.npz: {about.format}, {counted(about.observation_dim, 'observation')}, "
        f"{counted(about.action_dim, 'action')}; "
        f"train on it: workbench fit data/{name} --out RUN"
    )


def listed(as_json: Json = False) -> None:
    """List the datasets that were added."""
    from workbench.engine.data.own_datasets import own_datasets, read_own
    from workbench.engine.words import UserError

    found = {}
    for name in own_datasets():
        try:
            found[name] = read_own(name).model_dump()
        except UserError as error:
            found[name] = {"damaged": str(error)}
    if as_json:
        print_json(found)
        return
    heads = ("task", "format", "observations", "actions", "source")
    print_table(
        heads,
        [
            (
                f"data/{name}",
                *(
                    ("damaged", "", "", about["damaged"])
                    if "damaged" in about
                    else (about["format"], str(about["observation_dim"]), str(about["action_dim"]), about["source"])
                ),
            )
            for name, about in found.items()
        ],
    )


def record(
    task: TaskName,
    out: Path,
    policy: Annotated[str, tyro.conf.arg(metavar="random|MODULE:FUNCTION|RUN")] = "random",
    rule: str = "bc",
    settings: Settings = (),
    episodes: int = 100,
    seed: int = 0,
) -> None:
    """Play episodes in an environment, with a policy of your own, and write them as a dataset.

    Args:
        task: Name of the task, such as gym/Pendulum-v1 or gym/my_module:MyEnv-v0.
        out: File to write (.npz); it must not exist.
        policy: random; a function of yours, FUNCTION(observations) with (E, S) in and actions (E, D) in [-1, 1] out; or the
            folder of a run, which plays by --rule.
        rule: Rule of the run's policy.
        settings: Settings of that rule.
        episodes: Episodes to play.
        seed: Fixes starts, and the noise of random and of runs.
    """
    from workbench.engine.data.npz import save_dataset
    from workbench.engine.tasks.record import played
    from workbench.engine.tasks.registry import make_task

    if out.exists():
        raise UserError(f"{out} exists; choose another name")
    if out.suffix != ".npz":
        raise UserError(f"--out must end in .npz, got {out.name}")
    if not out.parent.is_dir():
        raise UserError(f"the folder {out.parent} does not exist; make it first, or choose another --out")
    check_range("--episodes", episodes, 1, 1_000_000)
    check_range("--seed", seed, 0, SEEDS - 1)
    made = make_task(task)
    data = played(made, _policy(policy, rule, settings), episodes, seed)
    save_dataset(out, data)
    print(
        f"{out}: {counted(len(data), 'row')}, {counted(int(data.ends.sum()), 'episode')}; "
        f"look at it: workbench data describe {quoted(out)}; "
        f"train on it: workbench fit {task} --data {quoted(out)} --out RUN"
    )


def _policy(name: str, rule: str, settings: Settings) -> Policy | tuple[Rule, Parts] | None:
    """None for random, a function, or (rule, parts) of a run."""
    if name == "random":
        return None
    if Path(name).is_dir():
        from workbench.engine.steering.rules import make_rule
        from workbench.engine.training.loop.checkpoint import load_run

        return make_rule(rule, **parse_settings(settings)), load_run(Path(name)).parts()
    module, colon, function = name.partition(":")
    if not colon:
        raise UserError(f"--policy is random, MODULE:FUNCTION or the folder of a run; there is no folder {name}")
    import importlib

    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise UserError(f"--policy {name}: {error}; is the module's folder on PYTHONPATH?") from error
    if not callable(found):
        raise UserError(f"--policy {name}: is no function")
    policy: Policy = found
    return policy


DATA: dict[str, Callable[..., None]] = {"describe": describe, "add": add, "list": listed}
