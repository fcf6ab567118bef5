"""The scene in the browser: stages with landscape, particles and paths, a third picture, and charts over flow time.

Canvas components: 512 particles over 20 steps are painted about 23 ms after a slider's key (design.md), and play,
scrub, pan and zoom need no server. What they draw arrives as blocks of `frames.pack`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import param
from panel.custom import JSComponent

from workbench.engine.digits import exact, figure
from workbench.engine.glossary import HERE as SHOWN_STATE
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.trace import Trace
from workbench.engine.tasks.floor import Floor
from workbench.engine.words import counted
from workbench.plots.lines import positions_of
from workbench.plots.palette import DIFFERENCE_RAMP, VALUE_RAMP, Look, look, second_look
from workbench.ui.browser.link import component
from workbench.ui.canvas.frames import pack
from workbench.views.episodes import Play, plan
from workbench.views.question import EXTENT, Answer
from workbench.views.stage_numbers import stage_numbers

HERE = Path(__file__).parent
STYLE = (HERE / "stage.css").read_text(encoding="utf-8")

NUMBERS_AT = f"{SHOWN_STATE[0].upper()}{SHOWN_STATE[1:]}"  # above the numbers under a stage


class Stages(JSComponent):
    """Stages side by side on one view, a third picture (the room, or the true reward), and the flow-time bar."""

    frame = param.Bytes(default=b"", doc="The stages: `frame_of`.")
    landscape = param.Bytes(default=b"", doc="What lies behind the particles: `landscape_of`.")
    world = param.Bytes(default=b"", doc="A picture beside the stages: `room_of` or `truth_of`; empty without one.")
    notice = param.Dict(
        default={}, doc="kind (loading, waiting, error, hint), text, progress, button (its words, or none)."
    )
    agent = param.List(default=[0.0, 0.0, 0.0, 0.0], doc="The room's state; the browser changes it.")
    peak = param.List(default=[], doc="The reward's peak where it can be moved, else empty; the browser changes it.")
    dragging = param.Boolean(default=False, doc="The peak is being dragged; the browser changes it.")
    selected = param.Integer(default=-1, doc="The particle whose terms are shown, -1 for none; the browser changes it.")
    view = param.Dict(default={"x": 0.0, "y": 0.0, "half": 1.25}, doc="Centre and half width of what is seen at first.")
    ramps = param.Dict(default={key: list(stops) for key, stops in VALUE_RAMP.items()})
    differences = param.Dict(default={key: list(stops) for key, stops in DIFFERENCE_RAMP.items()})

    _esm = component(HERE / "stage.js")
    _stylesheets = [STYLE]

    def __init__(self, pressed: Callable[[], None] = lambda: None, **params: Any) -> None:
        super().__init__(**params)
        self._pressed = pressed  # the notice's button

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and data.get("press") == "notice":
            self._pressed()


class TimeChart(JSComponent):
    """One line per rule over flow time, with a cursor that follows the stages."""

    series = param.Bytes(default=b"", doc="The lines: `series_of`.")
    heading = param.String(default="")
    note = param.String(default="")

    _esm = component(HERE / "chart.js")
    _stylesheets = [STYLE]


def looks_of(traces: list[Trace]) -> list[Look]:
    """Colour and shape of every trace; a rule that stands there twice is told apart."""
    looks = [look(trace.rule) for trace in traces]
    for index, trace in enumerate(traces[2:], 2):
        if trace.rule == traces[1].rule:
            looks[index] = second_look(trace.rule)
    return looks


def subtitle_of(trace: Trace) -> str:
    """One line under a stage's title: the rule's strength, and how the particles are grouped."""
    rule = RULES[trace.rule]
    groups, size = trace.positions.shape[1:3]
    if trace.rule == "bc":
        return f"no guidance: {counted(groups, 'sample')} of the data"
    strength = f"{rule.strength.replace('_', ' ')} {exact(float(trace.settings[rule.strength]))}"
    if size == 1:
        return f"{strength}: {counted(groups, 'sample')}, same noise"
    return f"{strength}: {counted(groups, 'group')} of {size}, solid is picked"


def in_plane(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Positions (ticks + 1, M, 2) and who was picked (M,); on a line the second coordinate is the flow time, upwards."""
    positions, picked = positions_of(trace)
    if positions.shape[-1] == 1:
        up = np.linspace(-1.0, 1.0, len(positions), dtype=np.float32)[:, None, None]
        positions = np.concatenate((positions, np.broadcast_to(up, positions.shape)), -1)
    return positions, picked


def terms_of(trace: Trace, particle: int) -> tuple[list[str], np.ndarray]:
    """The terms of one particle's movement: names, and vectors (ticks, terms, 2)."""
    names = list(trace.terms)
    if not names:
        return [], np.zeros((len(trace.positions) - 1, 0, 2), dtype=np.float32)
    arrays = [trace.terms[name].flatten(1, 2)[:, particle].numpy() for name in names]
    stacked = np.stack(arrays, 1)
    if stacked.shape[-1] == 1:
        stacked = np.concatenate((stacked, np.zeros_like(stacked)), -1)
    return names, stacked.astype(np.float32)


def frame_of(
    answer: Answer,
    plays: list[Play] | None,
    version: int,
    selected: int = -1,
    ending: str = "",
    held: bool = False,
) -> bytes:
    """Pack what the stages show.

    Parameters
    ----------
    answer : Answer
    plays : list of Play or None
        Episodes of each trace's rule, where the task has them.
    version : int
        Grows with every frame.
    selected : int
        The particle whose terms go along, -1 for none.
    ending : str
        What `ending_of` says of the task.
    held : bool
        A hand moves what is shown: episodes are played once it lets go.
    """
    arrays: dict[str, np.ndarray] = {}
    specs = []
    looks = looks_of(answer.traces)
    for index, (trace, numbers) in enumerate(zip(answer.traces, answer.numbers, strict=True)):
        positions, picked = in_plane(trace)
        arrays[f"positions{index}"], arrays[f"picked{index}"] = positions, picked.astype(np.float32)
        names: list[str] = []
        if 0 <= selected < positions.shape[1]:
            names, arrays[f"terms{index}"] = terms_of(trace, selected)
        play = plays[index] if plays is not None else None
        told = stage_numbers(numbers, play, ending, trace.positions.shape[1], held)
        specs.append(
            {
                "index": index,
                "name": trace.rule,
                "title": RULES[trace.rule].title,
                "subtitle": subtitle_of(trace),
                "look": looks[index]._asdict(),
                "ticks": len(positions) - 1,
                "flow": trace.settings["flow_steps"],
                "count": positions.shape[1],
                "single": trace.positions.shape[2] == 1,
                "terms": names,
                "where": NUMBERS_AT,
                "heads": told.heads,
                "warning": told.warning,
                "wrong": told.wrong,
                "numbers": told.rest,
            }
        )
    line = answer.traces[0].positions.shape[-1] == 1
    return pack({"version": version, "stages": specs, "line": line, "selected": selected}, arrays)


def landscape_of(values: np.ndarray, name: str = "Q", difference: bool = False) -> bytes:
    """Pack values (G, G) over the plane of actions; ``difference`` takes colours that part at zero."""
    return pack({"extent": EXTENT, "name": name, "difference": difference}, {"values": values})


def truth_of(values: np.ndarray, answer: Answer) -> bytes:
    """Pack the true reward (G, G), to stand beside the stages."""
    header = {
        "kind": "truth",
        "title": "What the actions earn",
        "subtitle": "the true reward, which no rule sees",
        "extent": EXTENT,
        "numbers": [],
    }
    return pack(header, {"values": values})


def room_of(plays: list[Play] | None, answer: Answer, floor: Floor, passing: bool = False) -> bytes:
    """Pack the ground: its map, and the episodes when they are played; ``passing`` ones, of a moment ago, are drawn faintly."""
    arrays = {f"paths{index}": play.paths for index, play in enumerate(plays or [])}
    state = answer.question.state
    where = [["Agent at", f"{figure(state[0])}, {figure(state[1])}", "its place on the ground"]]
    if floor.velocity_unit:
        where.append(["Velocity", f"{figure(state[2])}, {figure(state[3])}", f"in units of {floor.velocity_unit}"])
    else:
        where.append(["Episodes", counted(floor.steps, "step"), "they are cut off after so many"])
    hand = "drag the agent or its velocity's knob" if floor.velocity_unit else "drag the agent"
    header = {
        "kind": "room",
        "title": floor.title,
        "subtitle": "episodes of a moment ago" if passing and plays is not None else hand,
        "plan": plan(floor),
        "plays": [found._asdict() for found in looks_of(answer.traces)] if plays is not None else [],
        "awaited": plays is None,
        "faint": passing and plays is not None,
        "numbers": where,
    }
    return pack(header, arrays)


def series_of(answer: Answer, values: list[np.ndarray], zero: bool) -> bytes:
    """Pack one line per trace over its ticks; ``zero`` keeps 0 on the axis."""
    looks = looks_of(answer.traces)
    lines = [
        {"title": RULES[trace.rule].title, "look": found._asdict(), "ticks": len(trace.positions) - 1}
        for found, trace in zip(looks, answer.traces, strict=True)
    ]
    flow = answer.traces[0].settings["flow_steps"]
    return pack(
        {"lines": lines, "flow": flow, "zero": zero}, {f"y{index}": value for index, value in enumerate(values)}
    )
