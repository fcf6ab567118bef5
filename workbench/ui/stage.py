"""The scene in the browser: stages with landscape, particles and paths, a third picture, and charts over flow time.

Canvas components: 512 particles over 20 steps are painted about 23 ms after a slider's key (design.md), and play,
scrub, pan and zoom need no server. What they draw arrives as blocks of `frames.pack`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import param
from panel.custom import JSComponent

from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.plots.lines import positions_of
from workbench.plots.palette import VALUE_RAMP, look
from workbench.ui.frames import figure, pack
from workbench.ui.room import Play, plan
from workbench.ui.scene import EXTENT, Answer, Numbers

HERE = Path(__file__).parent
STYLE = (HERE / "stage.css").read_text(encoding="utf-8")


def _script(*names: str) -> str:
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


class Stages(JSComponent):
    """Stages side by side on one view, a third picture (the room, or the true reward), and the flow-time bar."""

    frame = param.Bytes(default=b"", doc="The stages: `frame_of`.")
    landscape = param.Bytes(default=b"", doc="Q behind the particles: `landscape_of`.")
    world = param.Bytes(default=b"", doc="The third picture: `room_of` or `truth_of`.")
    notice = param.Dict(default={}, doc="kind (loading, error, hint), text, progress.")
    agent = param.List(default=[0.0, 0.0, 0.0, 0.0], doc="The room's state; the browser changes it.")
    view = param.Dict(default={"x": 0.0, "y": 0.0, "half": 1.25}, doc="Centre and half width of what is seen at first.")
    ramps = param.Dict(default={key: list(stops) for key, stops in VALUE_RAMP.items()})

    _esm = _script("draw.js", "world.js", "stage.js")
    _stylesheets = [STYLE]


class TimeChart(JSComponent):
    """One line per rule over flow time, with a cursor that follows the stages."""

    series = param.Bytes(default=b"", doc="The lines: `series_of`.")
    heading = param.String(default="")
    note = param.String(default="")

    _esm = _script("draw.js", "chart.js")
    _stylesheets = [STYLE]


def look_of(rule: str) -> dict[str, str]:
    """Colours and shape of a rule, for the browser."""
    return look(rule)._asdict()


def number_rows(numbers: Numbers, extra: tuple[str, str, str] | None = None) -> list[list[str]]:
    """Name, value and meaning of each number under a stage; ``extra`` stands in for a true reward that is not known."""
    first = extra
    if numbers.true_reward is not None:
        first = ("True reward", figure(numbers.true_reward), "mean reward that the chosen actions really earn")
    rows = [
        ("Q estimate", figure(numbers.q), "mean value that the critic gives to the chosen actions, task units"),
        (
            "Shift",
            figure(numbers.shift),
            "mean distance of all particles from where the behaviour flow takes the same noise, action units",
        ),
        (
            "W2",
            figure(numbers.w2),
            "sliced Wasserstein-2 distance of the chosen actions from the behaviour flow's, action units",
        ),
        ("Budget", figure(numbers.budget), "mean length of the critic's pushes along a particle's way, action units"),
    ]
    return [list(row) for row in ((first,) if first else ()) + tuple(rows)]


def subtitle_of(trace: Trace) -> str:
    """One line under a stage's title: the rule's strength, and how the particles are grouped."""
    rule = RULES[trace.rule]
    groups, size = trace.positions.shape[1:3]
    if trace.rule == "bc":
        return f"no guidance: {groups} samples of the data distribution"
    strength = f"{rule.strength.replace('_', ' ')} {trace.settings[rule.strength]:g}"
    if size == 1:
        return f"{strength}: {groups} samples, same noise"
    plural = "group" if groups == 1 else "groups"
    return f"{strength}: {groups} {plural} of {size}, solid is picked"


def frame_of(answer: Answer, returns: list[Play] | None, version: int) -> bytes:
    """Pack what the stages show.

    Parameters
    ----------
    answer : Answer
    returns : list of Play or None
        Episodes of each trace's rule, where the task has them.
    version : int
        Grows with every frame.
    """
    arrays: dict[str, np.ndarray] = {}
    specs = []
    for index, (trace, numbers) in enumerate(zip(answer.traces, answer.numbers, strict=True)):
        positions, picked = positions_of(trace)
        arrays[f"positions{index}"], arrays[f"picked{index}"] = positions, picked.astype(np.float32)
        extra = None
        if numbers.true_reward is None:
            value = "…" if returns is None else f"{figure(returns[index].mean)} ± {figure(returns[index].error)}"
            extra = ("Return", value, "mean return of episodes from where the agent stands, with its 95% interval")
        specs.append(
            {
                "index": index,
                "name": trace.rule,
                "title": RULES[trace.rule].title,
                "subtitle": subtitle_of(trace),
                "look": look_of(trace.rule),
                "ticks": len(positions) - 1,
                "flow": trace.settings["flow_steps"],
                "count": positions.shape[1],
                "single": trace.positions.shape[2] == 1,
                "numbers": number_rows(numbers, extra),
            }
        )
    return pack({"version": version, "stages": specs}, arrays)


def landscape_of(values: np.ndarray) -> bytes:
    """Pack Q (G, G) over the plane of actions."""
    return pack({"extent": EXTENT}, {"values": values})


def truth_of(values: np.ndarray, answer: Answer) -> bytes:
    """Pack the true reward (G, G) and how far the critic overestimates it at the chosen actions."""
    rows = []
    for trace, numbers in zip(answer.traces, answer.numbers, strict=True):
        assert numbers.true_reward is not None
        rows.append(
            [
                f"Q − truth, {RULES[trace.rule].title}",
                figure(numbers.q - numbers.true_reward),
                "above zero, the critic promises too much",
            ]
        )
    header = {
        "kind": "truth",
        "title": "What the actions earn",
        "subtitle": "the true reward, which no rule sees",
        "extent": EXTENT,
        "numbers": rows,
    }
    return pack(header, {"values": values})


def room_of(plays: list[Play] | None, rule: str, state: tuple[float, ...]) -> bytes:
    """Pack the room: its map, and the episodes when they are played."""
    looks, arrays, crash = [], {}, ["…", "…"]
    if plays is not None:
        for index, (name, play) in enumerate(zip(("bc", rule), plays, strict=True)):
            looks.append(look_of(name))
            arrays[f"paths{index}"] = play.paths
            crash[index] = f"{play.crashed:.0%}"
    where = [
        ["Agent at", f"{figure(state[0])}, {figure(state[1])}", "position in the room"],
        ["Into lava, behaviour", crash[0], "share of the episodes that end in lava"],
        [f"Into lava, {RULES[rule].title}", crash[1], "share of the episodes that end in lava"],
    ]
    header = {
        "kind": "room",
        "title": "The room",
        "subtitle": "drag the agent or its velocity's knob; exits pay what they say",
        "plan": plan(),
        "plays": looks,
        "numbers": where,
    }
    return pack(header, arrays)


def series_of(answer: Answer, values: list[np.ndarray], zero: bool) -> bytes:
    """Pack one line per trace over its ticks; ``zero`` keeps 0 on the axis."""
    lines = [{"look": look_of(trace.rule), "ticks": len(trace.positions) - 1} for trace in answer.traces]
    flow = answer.traces[0].settings["flow_steps"]
    return pack(
        {"lines": lines, "flow": flow, "zero": zero}, {f"y{index}": value for index, value in enumerate(values)}
    )
