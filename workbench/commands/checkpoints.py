"""``workbench convert | import``: checkpoints of other codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from workbench.commands.flags import Json, Whole, quoted
from workbench.console import print_json
from workbench.engine.words import UserError

Number = Annotated[float | None, tyro.conf.arg(metavar="NUMBER")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


def convert(script: bool = False, out: File = None) -> None:
    """Give the script that writes a checkpoint of a JAX code as plain arrays.

    It reads pickles of the VGF, QGF and FQL codes, flax msgpack and orbax folders, and needs NumPy and what wrote the file.

    Args:
        script: Give the script. Run it in the environment that wrote the checkpoint: it unpickles, which is never done here.
        out: Write it to this file, which must not exist; without it, it is printed.
    """
    from workbench.engine.data.atomic import write_atomic
    from workbench.engine.models.published.script import export_script

    if not script:
        raise UserError(
            "nothing is converted here; add --script for the script that does it in the environment that wrote the checkpoint: "
            "workbench convert --script --out export_checkpoint.py"
        )
    text = export_script()
    if out is None:
        print(text, end="")
        return
    if out.exists():
        raise UserError(f"{out} exists; choose another --out")
    if not out.parent.is_dir():
        raise UserError(f"the folder {out.parent} does not exist; make it first, or choose another --out")
    write_atomic(out, text.encode())
    print(
        f"{out}: run it where the checkpoint was written: python {quoted(out)} params_1000000.pkl weights.npz; "
        "then here: workbench import weights.npz --task TASK --out RUN",
        file=sys.stderr,
    )


def import_run(
    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    task: str,
    out: Annotated[Path, tyro.conf.arg(metavar="RUN")],
    family: Annotated[Literal["vgf", "qgf", "fql"] | None, tyro.conf.arg(metavar="{vgf,qgf,fql}")] = None,
    config: File = None,
    mapping: File = None,
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    clip_actions: bool = False,
    activation: Annotated[Literal["relu", "gelu", "mish"] | None, tyro.conf.arg(metavar="{relu,gelu,mish}")] = None,
    discount: Number = None,
    chunk: Whole = None,
    reward_scale: Number = None,
    flow_steps: Whole = None,
    as_json: Json = False,
) -> None:
    """Make a run of a checkpoint that was trained elsewhere, so that evaluate, steer, tune, sweep and the pages take it.

    Args:
        file: params_N.pkl of the VGF, QGF and FQL codes (read without unpickling), what the script of workbench convert makes
            of it, or with --mapping a torch .pt, .safetensors or .npz of any code.
        task: The task that it was trained for (workbench tasks).
        out: Folder of the run; it must not exist.
        family: The code it is of, where the names of its networks do not tell.
        config: Settings of the training (flags.json); without it those in the file or beside it.
        mapping: JSON that says which array of the file is which layer (docs/bring_your_own.md).
        data: The dataset that it was trained on: shift is then measured at its states, and support is measured.
        clip_actions: Clip actions of the data to [-1, 1] instead of refusing them.
        activation: Where it is another one than the family's own.
        discount: γ per environment step, where the settings do not say it.
        chunk: Environment steps of one action, where the settings do not say it.
        reward_scale: What rewards were multiplied by.
        flow_steps: Euler steps T of its flow.
    """
    from workbench.runs.importing import import_checkpoint

    imported = import_checkpoint(
        file,
        task,
        out,
        family=family,
        config=config,
        mapping=mapping,
        data=data,
        clip_actions=clip_actions,
        activation=activation,
        discount=discount,
        chunk=chunk,
        reward_scale=reward_scale,
        flow_steps=flow_steps,
    )
    published = imported.published
    parts = {
        part: {"hidden": d.hidden, "members": d.members, "activation": d.activation, "layer_norm": d.layer_norm}
        for part, d in published.descriptions.items()
    }
    result = {
        "run": str(out),
        "task": imported.run.task,
        "family": published.family,
        "observation_dim": published.observation_dim,
        "action_dim": published.action_dim,
        "time": published.descriptions["reference"].time,
        "step": imported.run.step,
        "parts": parts,
        "settings": {
            name: getattr(imported.run.config, name) for name in ("discount", "chunk", "reward_scale", "flow_steps")
        },
        "notes": list(imported.notes),
    }
    if as_json:
        print_json(result)
        return
    for part, d in published.descriptions.items():
        widths = " × ".join(map(str, d.hidden)) or "no hidden layer"
        print(f"{part}: {d.members} of {widths}, {d.activation}, LayerNorm {d.layer_norm}")
    for note in imported.notes:
        print(f"note: {note}", file=sys.stderr)
    rule = "qgf" if "critic" in parts else "bc"
    print(f"imported, family {published.family}; steer it: workbench evaluate {quoted(out)} --rule {rule}")
