"""What is done with files that somebody brought: a program of its own, which a page starts with little memory and may end.

``python -m workbench.runs.brought FOLDER`` reads FOLDER/order.json and writes FOLDER/answer.json: ``{"done": …}``,
``{"refused": words}``, or ``{"fault": words}`` with the traceback in its log. FOLDER/progress.json says how far it is.
"""

from __future__ import annotations

import json
import math
import sys
import traceback
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from workbench.engine.data.atomic import write_atomic
from workbench.engine.data.columns import Arrays
from workbench.engine.data.formats.found import ColumnNames
from workbench.engine.data.records import Name, Record, checked, read_json
from workbench.engine.data.regular import open_regular
from workbench.engine.words import UserError, plain, refusal
from workbench.runs.own_files import Columns

ORDER = "order.json"
ANSWER = "answer.json"
PROGRESS = "progress.json"
WEIGHTS = (".pkl", ".pickle", ".safetensors", ".pt", ".pth", ".msgpack", ".npy")


class Reading(Record):
    """How a checkpoint is to be read, where its file does not say it (`import_checkpoint`)."""

    family: Literal["vgf", "qgf", "fql"] | None = None
    activation: Literal["relu", "gelu", "mish"] | None = None
    discount: float | None = None
    chunk: int | None = None
    reward_scale: float | None = None
    flow_steps: int | None = None


class Order(Record):
    """What is asked for.

    Attributes
    ----------
    do : str
        "look": say what a file is. "keep": convert a dataset. "fits": try a dataset on a task. "import": make a run of a
        checkpoint. "example": write a small dataset of three exits.
    path : str
        The file or folder.
    task, name, source, owner, out : str
        As `load_saved`, `add_dataset` and `import_checkpoint` have them.
    """

    do: Literal["look", "keep", "fits", "import", "example"]
    path: Name
    columns: Columns = Columns()
    reading: Reading = Reading()
    task: str = ""
    name: str = ""
    source: str = ""
    owner: str = ""
    out: str = ""


Tell = Callable[[str], None]


def is_weights(path: Path) -> bool:
    """Whether a file looks like weights of networks, and not like a dataset."""
    if not path.is_file():
        return False
    if path.suffix in WEIGHTS:
        return True
    with open_regular(path) as file:
        start = file.read(9)
        if start[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") or (
            path.suffix == "" and start[8:] == b"{"
        ):
            return True
        if path.suffix != ".npz":
            return False
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except Exception:  # a damaged archive: the door of datasets has the words
            return False
    return any(name.endswith((".kernel.npy", "/data.pkl")) for name in names)


def look(order: Order, tell: Tell) -> dict[str, Any]:
    """What a file or folder is: a dataset described, or a checkpoint recognised."""
    path = Path(order.path)
    return recognised(path, order.reading) if is_weights(path) else described(path, order.columns.names(), tell)


def described(path: Path, names: ColumnNames, tell: Tell) -> dict[str, Any]:
    """What `workbench data describe` says, two histograms, and which columns may be chosen.

    A table whose columns nobody can guess is not refused before somebody was asked: ``refused`` says what is missing.
    """
    from workbench.engine.data.describe import describe
    from workbench.engine.data.formats import format_of, pieces
    from workbench.engine.data.formats.choices import choices_of
    from workbench.engine.data.pictures import Pictures

    files = pieces(path)
    for piece in files[:1]:
        format_of(piece)
    choices = dict(choices_of(path))
    pictures, count = Pictures(), 0

    def also(plain_form: Arrays) -> None:
        nonlocal count
        count += 1
        pictures.add(plain_form)
        tell(f"{count:,} of {len(files):,} files are read")

    answer: dict[str, Any] = {"kind": "dataset", "choices": choices}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = describe(path, names, also)
    except UserError as error:
        if not choices:
            raise
        return answer | {"refused": str(error)}
    notes = [*found.notes, *dict.fromkeys(str(one.message) for one in caught if one.category is UserWarning)]
    return answer | {
        "about": found.as_dict() | {"notes": notes},
        "actions": pictures.actions().as_dict(),
        "lengths": pictures.lengths().as_dict(),
    }


def recognised(path: Path, reading: Reading) -> dict[str, Any]:
    """Family, networks and settings of a checkpoint."""
    from workbench.engine.models.published.files import read_weights
    from workbench.engine.models.published.load import read_published
    from workbench.runs.importing import settings_of

    weights = read_weights(path)
    config = settings_of(path, weights)
    given = reading.model_dump(exclude={"family", "activation"})
    published = read_published(weights, reading.family, activation=reading.activation, config=config, **given)
    networks = [
        {
            "part": part,
            "members": d.members,
            "hidden": list(d.hidden),
            "activation": d.activation,
            "layer_norm": d.layer_norm,
        }
        for part, d in published.descriptions.items()
    ]
    sizes = [sum(array.numel() for array in arrays.values()) for arrays in published.arrays.values()]
    env = config.get("env_name")
    return {
        "kind": "checkpoint",
        "family": published.family,
        "networks": networks,
        "weights": sum(sizes),
        "observation_dim": published.observation_dim,
        "action_dim": published.action_dim,
        "step": published.step,
        "settings": {
            name: getattr(published.settings, name) for name in ("discount", "chunk", "reward_scale", "flow_steps")
        },
        "assumed": list(published.settings.assumed),
        "normalised": published.mean is not None,
        "left_out": list(published.left_out),
        "notes": list(published.notes),
        "env": env if isinstance(env, str) and len(env) < 200 else "",
    }


def keep(order: Order, tell: Tell) -> dict[str, Any]:
    """Convert a dataset into a folder of datasets."""
    from workbench.engine.data.own_datasets import add_dataset

    tell("converted and written once")
    about = add_dataset(
        Path(order.path),
        order.name,
        order.columns.names(),
        source=order.source,
        owner=order.owner,
        folder=Path(order.out),
    )
    return about.model_dump()


def fits(order: Order, tell: Tell) -> dict[str, Any]:
    """Read a dataset as a training on the task would, and say how much there is."""
    from workbench.engine.tasks.registry import make_listed
    from workbench.engine.tasks.storage import load_saved

    path = Path(order.path)
    if path.suffix != ".npz":
        raise UserError(
            f"{path.name} is no .npz file; the page Bring your own takes other formats, and says what is in them"
        )
    if is_weights(path):
        raise UserError(f"{path.name} holds weights of networks, no dataset; bring it on the page Bring your own")
    data = load_saved(make_listed(order.task), path)
    return {"rows": len(data), "episodes": int(data.ends.sum())}


def import_run(order: Order, tell: Tell) -> dict[str, Any]:
    """Make a run of a checkpoint, for a task that is listed."""
    from workbench.engine.tasks.registry import make_listed
    from workbench.runs.importing import import_checkpoint

    task = make_listed(order.task)
    tell("the networks are checked, and tried in the task")
    made = import_checkpoint(Path(order.path), task.info.name, Path(order.out), **order.reading.model_dump())
    return {"task": made.run.task, "notes": list(made.notes)}


def example(order: Order, tell: Tell) -> dict[str, Any]:
    """A small dataset of three exits, as somebody might bring one."""
    from workbench.engine.data.npz import save_dataset
    from workbench.engine.tasks.registry import make_task

    data = make_task("three_exits").generate(4000, 0)
    save_dataset(Path(order.path), data)
    return {"rows": len(data)}


DOINGS: dict[str, Callable[[Order, Tell], dict[str, Any]]] = {
    "look": look,
    "keep": keep,
    "fits": fits,
    "import": import_run,
    "example": example,
}


def _spoken(value: Any) -> Any:
    """``value`` as JSON has it, without NaN and infinities."""
    if isinstance(value, dict):
        return {key: _spoken(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spoken(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main(folder: Path) -> None:
    """Do what ``folder`` asks, and answer."""

    def tell(words: str) -> None:
        write_atomic(folder / PROGRESS, json.dumps({"words": words}).encode())

    try:
        order = checked(Order, read_json(folder / ORDER))
        answer: dict[str, Any] = {"done": DOINGS[order.do](order, tell)}
    except Exception as error:  # a refusal in its words, a fault as one
        words = refusal(error)
        if words is None:
            traceback.print_exc()
            answer = {"fault": plain(f"{type(error).__name__}: {error}")}
        else:
            answer = {"refused": words}
    write_atomic(folder / ANSWER, json.dumps(_spoken(answer), allow_nan=False).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
