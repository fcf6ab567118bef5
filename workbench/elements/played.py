"""Episodes: what was promised and what was earned, and the ways that they took."""

from __future__ import annotations

from typing import Any

import holoviews as hv
import numpy as np

from workbench.engine.metrics.evaluate import Evaluation
from workbench.engine.tasks.floor import Floor, floor_of
from workbench.engine.tasks.protocol import Task
from workbench.engine.tasks.rollout import Episodes
from workbench.engine.words import UserError
from workbench.plots.styled import GREY, WIDTH, calm, framed, measured, plain, styled
from workbench.views.rollouts import Played, ends_of, lines_of

COLUMNS = {"earned": "discounted", "promised": "q_first", "return": "returns", "length": "lengths"}
ENDS = {True: "success", False: "no success"}
COLOURS = {True: "#0072b2", False: "#d55e00"}
MARKS = {True: ("circle", "o"), False: ("inverted_triangle", "v")}
WAYS = ("#0072b2", "#d55e00", "#00805d", "#a8417f", "#a86f00", "#5b6472")  # by kind of ending


def rollouts(record: Episodes | Evaluation | Played, x: str = "", y: str = "") -> hv.Overlay:
    """Every episode as a point: what the critic promised for its first action against what it then earned.

    Above the dotted line the critic promised too much.

    Parameters
    ----------
    record : Episodes, Evaluation or Played
        What `workbench.rollout`, `workbench.evaluate` or `workbench.views.rollouts.play` returned.
    x, y : str, optional
        Columns: "earned", "promised", "return" or "length" (steps). Without a critic nothing was promised: then, without a
        choice, the return is drawn against the length.

    Returns
    -------
    holoviews.Overlay
        `holoviews.Points` for the successes and for the others, with all columns.

    Raises
    ------
    UserError
        Another column, or promises of episodes that were played without a critic.
    """
    episodes = record if isinstance(record, Episodes) else record.record
    promised = bool(np.isfinite(episodes.q_first).all())
    x, y = x or ("earned" if promised else "length"), y or ("promised" if promised else "return")
    for name in (x, y):
        if name not in COLUMNS:
            raise UserError(f"'{name}' is no column of episodes; there are {', '.join(COLUMNS)}")
        if name == "promised" and not promised:
            raise UserError("nothing was promised: these episodes were played without a critic. Draw y='return'")
    names = [x, y, *(name for name in COLUMNS if name not in (x, y))]
    columns = {name: np.asarray(getattr(episodes, COLUMNS[name]), dtype=np.float64) for name in names}
    dimensions = [hv.Dimension(("length", "length"), unit="steps") if n == "length" else measured(n, n) for n in names]
    parts = [_the_same(columns[x], columns[y])] if {x, y} == {"earned", "promised"} else []
    for success, label in ENDS.items():
        which = episodes.success == success
        if not which.any():
            continue
        data = tuple(column[which] for column in columns.values())
        points = hv.Points(data, kdims=dimensions[:2], vdims=dimensions[2:], label=label)
        shape, still = MARKS[success]
        both = {"color": COLOURS[success], "alpha": 0.6}
        bokeh = {"marker": shape, "size": 6, "line_alpha": 0.0, "tools": ["hover"]}
        parts.append(framed(styled(points, both, bokeh, {"marker": still, "s": 14, "linewidth": 0})))
    return hv.Overlay(parts)


def _the_same(x: np.ndarray, y: np.ndarray) -> hv.Curve:
    """The line on which the critic is right."""
    ends = np.array([min(x.min(), y.min()), max(x.max(), y.max())])
    line = hv.Curve((ends, ends), kdims=[measured("earned", "earned")], vdims=[measured("promised", "promised")])
    return framed(
        styled(
            line.relabel("the critic is right"),
            {"color": GREY},
            {"line_dash": "dotted"},
            {"linestyle": ":", "linewidth": 1.0},
        )
    )


def episodes(played: Played, task: Task | None = None, axes: tuple[int, int] = (0, 1)) -> hv.Overlay:
    """The ways that episodes took, coloured by how they ended.

    Parameters
    ----------
    played : Played
        What `workbench.views.rollouts.play` returned.
    task : Task, optional
        One that moves about on a ground (three_exits, the mazes): its walls and goals are drawn.
    axes : tuple of int
        Two numbers of the observation.

    Returns
    -------
    holoviews.Overlay
        A `holoviews.Curve` a kind of ending, with NaN between two episodes, and `holoviews.Points` where they ended.

    Raises
    ------
    UserError
        Numbers that the observations do not have.
    """
    size = played.paths.shape[-1]
    if len(set(axes)) != 2 or not set(axes) <= set(range(size)):
        raise UserError(f"axes names two different numbers of the observation, 0 to {size - 1}; got {axes!r}")
    floor = None if task is None else floor_of(task)
    names = floor.axes if floor is not None else ()
    across, along = (
        hv.Dimension((f"s{axis}", names[axis] if axis < len(names) else f"state {axis + 1}")) for axis in axes
    )
    parts = _ground(floor, across, along) if floor is not None and axes == (0, 1) else []
    for kind, name in enumerate(played.names):
        if not (played.kinds == kind).any():
            continue
        colour = {"color": WAYS[kind % len(WAYS)]}
        way = hv.Curve(lines_of(played, kind, axes), kdims=[across], vdims=[along], label=name)
        parts.append(styled(way, colour | {"alpha": 0.35}, {"line_width": 1}, {"linewidth": 0.7}))
        last = ends_of(played, axes)[played.kinds == kind]
        ends = hv.Points(last, kdims=[across, along], label=name)
        parts.append(styled(ends, colour, {"size": 4, "line_color": "white", "line_width": 0.5}, {"s": 10}))
    both: dict[str, Any] = {"xlabel": across.label, "ylabel": along.label}
    if floor is not None and axes == (0, 1):
        both |= {"xlim": floor.view[:2], "ylim": floor.view[2:]}
    bokeh = {"frame_width": WIDTH, "hooks": [calm], "data_aspect": 1}
    return hv.Overlay([styled(part, both, bokeh, {"aspect": "equal", "hooks": [plain]}) for part in parts])


def _ground(floor: Floor, across: hv.Dimension, along: hv.Dimension) -> list[hv.Element]:
    """Walls and goals."""
    boxes = [(x0, y0, x1, y1) for x0, x1, y0, y1 in floor.blocks]
    axes = [across.name, along.name]
    walls = hv.Rectangles(boxes, kdims=[*axes, "to_x", "to_y"]).opts(backend="bokeh", color=GREY, line_alpha=0.0)
    walls = walls.opts(backend="matplotlib", color=GREY, linewidth=0)
    rings = [hv.Ellipse(x, y, 2 * radius) for x, y, radius, _ in floor.goals]
    goals = hv.Path([ring.array() for ring in rings], kdims=[across, along])
    goals = styled(goals, {"color": "#00805d"}, {"line_width": 1.5}, {"linewidth": 1.2})
    return [walls, goals] if rings else [walls]
