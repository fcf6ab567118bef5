"""What the page "Bring your own" says of files: what was recognised, what can be done with it, and the commands for the same."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from pprint import pformat
from textwrap import fill
from typing import Any

from workbench.engine.data.describe import Description
from workbench.engine.data.own_datasets import NAME, OwnDataset, adopt_dataset, datasets_folder, own_datasets, read_own
from workbench.engine.digits import exact
from workbench.engine.tasks.registry import TASKS, make_listed
from workbench.engine.words import UserError
from workbench.runs.brought import WEIGHTS
from workbench.runs.owner import digest
from workbench.runs.scratch import scratch_folder

MOST_KEPT = 20  # datasets of one visitor
MOST_SIZE = 2 * 2**30  # bytes of them together
OWN = "data/"
TASK = "TASK"
OUT = "RUN"
WIDTH = 110  # of a snippet's lines
# What can be brought: what people hold, and how it is recognised.
FORMATS: tuple[tuple[str, str], ...] = (
    (
        "npz of this package, or of OGBench",
        "observations, actions, rewards …; OGBench's hold no rewards, they belong to a task",
    ),
    ("HDF5 of D4RL", "observations, actions, rewards, terminals, timeouts"),
    ("HDF5 of robomimic", "data/demo_0/obs, actions, dones; pictures are left out"),
    ("LeRobotDataset v2.0 to v3.0", "a folder with meta/info.json; videos are left out"),
    ("zarr of Diffusion Policy", "a folder with data/state, data/action, meta/episode_ends"),
    ("parquet or CSV", "columns of numbers; you say which is what where their names do not"),
    ("shards NAME-000.npz, NAME-001.npz …", "all of them at once, or their folder"),
    (
        "checkpoint of the VGF, QGF or FQL code",
        "params_1000000.pkl with its flags.json, both at once; read without unpickling",
    ),
    ("the same as .npz or .safetensors", "what workbench convert --script writes"),
)


# Datasets


def description_of(about: Mapping[str, Any]) -> Description:
    """The description that an errand answered with; JSON has no NaN, and says null."""
    nan = float("nan")

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(read, value))
        return nan if value is None else value

    values: dict[str, Any] = {field.name: read(about[field.name]) for field in fields(Description)}
    return Description(**values)


def dataset_rows(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was found in a dataset, as `workbench data describe` says it."""
    return description_of(about).account()


def obstacles(about: Mapping[str, Any]) -> str:
    """Why a dataset cannot be kept as it is, and the cure; "" where it can."""
    if about["not_finite"]:
        return (
            f"{about['not_finite']:,} rows hold NaN or infinity, and such data are refused: drop or repair these rows, "
            "then bring the file again"
        )
    return ""


def cautions(about: Mapping[str, Any]) -> list[str]:
    """What is worth knowing before one trains on it."""
    said = []
    if about["reward_low"] == about["reward_high"]:
        said.append(
            f"all rewards are {exact(about['reward_low'])}: the behaviour flow can be learned, a critic has nothing to tell apart"
        )
    if about["outside"]:
        said.append("actions beyond [-1, 1] are scaled by their smallest and largest values when the data are kept")
    if about["format"] == "OGBench npz":
        said.append("with OGBench's rewards: workbench fit ogbench/ID --data FOLDER --out RUN")
    return said


def kept_rows(name: str) -> list[tuple[str, str]]:
    """What is known of a dataset that was kept."""
    about = read_own(name)
    scaled = not all(low == -1.0 and high == 1.0 for low, high in zip(about.low, about.high, strict=True))
    return [
        ("task", OWN + name),
        ("format", about.format),
        ("came from", about.source if about.owner else Path(about.source).name),
        *([("rows", f"{about.rows:,}")] if about.rows else []),
        ("observations", str(about.observation_dim)),
        ("actions", f"{about.action_dim}{', scaled to [-1, 1]' if scaled else ''}"),
        ("longest episode", f"{about.longest:,} rows"),
    ]


def mine(secret: str, anybody: bool) -> dict[str, OwnDataset]:
    """The datasets that a browser may use, by name: its own, and all where the server is one person's (``anybody``)."""
    who = digest(secret)
    there: dict[str, OwnDataset] = {}
    for name in own_datasets():
        try:
            about = read_own(name)
        except UserError:
            continue  # damaged; `workbench data list` says so
        if anybody or about.owner == who:
            there[name] = about
    return there


def check_mine(name: str, secret: str, anybody: bool) -> OwnDataset:
    """What is known of the dataset ``name``; UserError unless this browser may use it."""
    about = mine(secret, anybody).get(name)
    if about is None:
        raise UserError(
            f"there is no dataset '{name[:60]}' of yours here; choose one of the list, or bring it again (Bring your own)"
        )
    return about


def check_room(secret: str) -> None:
    """Raise `UserError` when a visitor keeps as many datasets as one may."""
    own = [name for name, about in mine(secret, False).items() if about.owner]
    size = sum((datasets_folder() / f"{name}.npz").stat().st_size for name in own)
    if len(own) >= MOST_KEPT or size >= MOST_SIZE:
        raise UserError(
            f"you keep {len(own)} datasets of {size / 2**20:,.0f} MiB here; {MOST_KEPT} and {MOST_SIZE >> 20:,} MiB are kept at "
            "most: remove one first"
        )


def name_for(file: str) -> str:
    """A name for the dataset in ``file`` that no other dataset has."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(file).stem).strip("-_")[:40] or "data"
    stem = stem if NAME.fullmatch(stem) else f"data-{stem}"
    return f"{stem}-{secrets.token_hex(3)}"


def draft_folder() -> Path:
    """A new folder beside the datasets, on their disk, in which one is made before it is adopted."""
    return scratch_folder("brought", datasets_folder())


def adopt(draft: Path, name: str) -> str:
    """Take a finished dataset over; its task's name."""
    adopt_dataset(draft, name)
    return OWN + name


def kept_notes(name: str) -> list[str]:
    """What was noted when the dataset was kept."""
    return read_own(name).notes


def kept_code(name: str) -> str:
    """A script that trains on a dataset that was kept."""
    task = OWN + name
    return (
        f"{_commented([f'workbench fit {task} --out {OUT}'])}"
        "import workbench as wb\n\n"
        f"print(wb.make_task({task!r}).info)\n"
        f"parts = wb.train({task!r})\n"
    )


def column_flags(columns: Mapping[str, Any]) -> str:
    """The flags of `workbench data describe` for the columns that were chosen."""
    flags = []
    for name, value in columns.items():
        words = [value] if isinstance(value, str) else list(value)
        if any(words):
            flags.append(f" --{name} {' '.join(map(shlex.quote, words))}")
    return "".join(flags)


def dataset_commands(file: str, columns: Mapping[str, Any]) -> list[str]:
    """What does the same on the command line."""
    path, flags, name = shlex.quote(file), column_flags(columns), re.sub(r"-[0-9a-f]{6}$", "", name_for(file))
    return [
        f"workbench data describe {path}{flags}",
        f"workbench data add {path} --name {name}{flags}",
        f"workbench fit data/{name} --out {OUT}",
    ]


def dataset_code(file: str, columns: Mapping[str, Any]) -> str:
    """A script that says what is in a file, keeps it, and trains on it."""
    name = re.sub(r"-[0-9a-f]{6}$", "", name_for(file))
    chosen = {key: value for key, value in columns.items() if value}
    options = ", columns" if chosen else ""
    return (
        f"{_commented(dataset_commands(file, columns))}"
        "import workbench as wb\n\n"
        f"{f'columns = {pformat(chosen, width=WIDTH)}' + chr(10) if chosen else ''}"
        f"print(wb.describe_data({file!r}{options}))\n"
        f"task = wb.keep_data({file!r}, {name!r}{options})\n"
        "parts = wb.train(task)\n"
    )


def _commented(commands: Sequence[str]) -> str:
    """The commands as comments above a script."""
    lines = [
        fill(
            line,
            WIDTH,
            initial_indent="#   ",
            subsequent_indent="#       ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in commands
    ]
    return "\n".join(["# The same on the command line:", *lines, ""])


# Checkpoints


def checkpoint_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was recognised of a checkpoint."""
    settings, assumed = found["settings"], found["assumed"]
    rows = [
        ("family", f"{found['family']}, {found['weights']:,} weights"),
        ("observations", str(found["observation_dim"])),
        ("actions", f"{found['action_dim']}{chunked(settings['chunk'])}"),
        ("updates", f"{found['step']:,}" if found["step"] else "not said"),
        ("normalised observations", "yes, with the file's mean and std" if found["normalised"] else "no"),
    ]
    for net in found["networks"]:
        many = f"{net['members']} of " if net["members"] > 1 else ""
        norm = f"LayerNorm {net['layer_norm']}"
        widths = " × ".join(map(str, net["hidden"]))
        rows.append((net["part"].replace("_", " "), f"{many}{widths}, {net['activation']}, {norm}"))
    words = {"discount": "discount γ", "chunk": "chunk", "reward_scale": "reward scale", "flow_steps": "flow steps T"}
    rows += [
        (words[key], f"{exact(settings[key])}{' (nobody said: assumed)' if key in assumed else ''}") for key in words
    ]
    if found["left_out"]:
        rows.append(("left out, no part of a policy here", ", ".join(found["left_out"])))
    return rows


def chunked(steps: int) -> str:
    """What to say of a policy that acts with ``steps`` steps at a time."""
    return f" (a chunk of {steps} steps)" if steps > 1 else ""


def tasks_for(found: Mapping[str, Any], datasets: Mapping[str, OwnDataset]) -> dict[str, str]:
    """Tasks whose sizes fit a checkpoint, by title: built-in ones, the visitor's datasets, and the one that its settings name."""
    s, d, chunk = found["observation_dim"], found["action_dim"], found["settings"]["chunk"]
    sizes = {name: (make_listed(name).info, make_listed(name).info.title) for name in TASKS}
    fitting = {
        title: name
        for name, (info, title) in sizes.items()
        if (info.observation_dim, chunk * info.action_dim) == (s, d)
    }
    fitting |= {
        f"Your data: {name}": OWN + name
        for name, about in datasets.items()
        if (about.observation_dim, chunk * about.action_dim) == (s, d)
    }
    env = str(found["env"])
    return fitting | (
        {f"OGBench: {env} (its settings say so)": f"ogbench/{env}"} if re.fullmatch(r"[\w-]+", env) else {}
    )


def import_command(file: str, task: str, reading: Mapping[str, Any]) -> str:
    """What imports it on the command line."""
    flags = "".join(f" --{key.replace('_', '-')} {value}" for key, value in reading.items() if value is not None)
    return f"workbench import {shlex.quote(file)} --task {task or TASK} --out {OUT}{flags}"


def rule_for(found: Mapping[str, Any]) -> str:
    """A rule that a recognised checkpoint can be steered by at once."""
    return "qgf" if any(net["part"] == "critic" for net in found["networks"]) else "bc"


def checkpoint_code(file: str, task: str, reading: Mapping[str, Any], rule: str) -> str:
    """A script that imports a checkpoint and measures it."""
    chosen = {key: value for key, value in reading.items() if value is not None}
    given = ", **reading" if chosen else ""
    return (
        f"{_commented([import_command(file, task, reading), f'workbench evaluate {OUT} --rule {rule}'])}"
        "import workbench as wb\n\n"
        f"{f'reading = {pformat(chosen, width=WIDTH)}' + chr(10) if chosen else ''}"
        f"made = wb.import_checkpoint({file!r}, {task or TASK!r}, {OUT!r}{given})\n"
        "parts, task = made.run.parts(), wb.make_task(made.run.task)\n"
        f"measured = wb.evaluate(wb.make_rule({rule!r}), parts, task, episodes=200, seed=1, probes=made.run.probes)\n"
        "print(*made.notes, measured.as_dict(), sep='\\n')\n"
    )


def way_on(file: str) -> tuple[str, list[str]]:
    """What a page cannot do with a refused file, and the commands that can."""
    path = shlex.quote(file)
    if Path(file).suffix in WEIGHTS:
        hint = "A script for the environment that made the checkpoint writes it as plain arrays; then bring those."
        return hint, [
            "workbench convert --script --out export_checkpoint.py",
            f"python export_checkpoint.py {path} weights.npz",
        ]
    return "The same check on the command line, where files may be larger:", [f"workbench data describe {path}"]


def served_path(text: str, permitted: Path | None) -> Path:
    """A file or folder of the server that its owner lets pages open: one below ``permitted``.

    Raises
    ------
    UserError
        Nothing is permitted, the path leads elsewhere, or there is nothing.
    """
    if permitted is None:
        raise UserError("this server opens no paths; its owner permits a folder with: workbench serve --data DIR")
    root = permitted.resolve()
    try:
        path = (root / text).resolve()
        there = path.is_relative_to(root) and path.exists()
    except (OSError, ValueError, RuntimeError):  # a name too long, NUL, a link to itself
        there = False
    if not text.strip() or not there:
        raise UserError(
            f"there is no file or folder '{text[:200]}' in the folder that this server opens; a path is meant from there on"
        )
    return path
