"""Three exits: the default task. A point mass drives through a room with lava walls and a lava pillar to one of three exits.

The best teaching task: demonstrations take two routes at several speeds, 40% of them to the exit that pays most, so the
behaviour policy is multi-modal and its true support is known. Steering towards the main exit pays; steering too hard
drives into lava.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.tasks.floor import Floor, State, out_of_blocks, within_limits
from workbench.engine.tasks.protocol import StepResult, TaskInfo

HORIZON = 80
# v' = 0.8 v + 0.03 a; velocities are observed in units of 0.06
FRICTION = 0.8
THRUST = 0.03
SPEED = 0.06
WALL = 1.0  # lava outside |x|, |y| > 1
PILLAR = (-0.15, 0.3, -0.15, 0.25)  # x from, x to, y from, y to
EXITS = ((0.0, 0.85, 1.0), (-0.85, 0.75, 0.25), (0.85, 0.75, 0.25))  # x, y, reward; the first is the main one
EXIT_RADIUS = 0.14
START_X = 0.6
START_Y = (-0.85, -0.75)
EPISODES = 1500
EDGE = 3.0  # lava all around, as far as a picture may show
FLOOR = Floor(
    title="The room",
    view=(-1.06, 1.06, -1.06, 1.06),
    blocks=(
        (-EDGE, EDGE, WALL, EDGE),
        (-EDGE, EDGE, -EDGE, -WALL),
        (-EDGE, -WALL, -WALL, WALL),
        (WALL, EDGE, -WALL, WALL),
        PILLAR,
    ),
    deadly=True,
    labels=(((PILLAR[0] + PILLAR[1]) / 2, (PILLAR[2] + PILLAR[3]) / 2, "lava"),),
    goals=tuple((x, y, EXIT_RADIUS, pays) for x, y, pays in EXITS),
    axes=("x", "y", "vx", "vy"),
    limits=((-0.97, 0.97), (-0.97, 0.97), (-2.0, 2.0), (-2.0, 2.0)),
    start=(-0.45, -0.8, 0.0, 0.4),  # a driver here goes left; a strong push goes straight up, into lava
    velocity_unit="0.06 a step",
    steps=HORIZON,
    told=2,
)


class Outcome(NamedTuple):
    """What happened on a straight move: (E,) each; ``exit`` is -1 where none was reached."""

    crashed: np.ndarray
    exit: np.ndarray


def sweep(start: np.ndarray, move: np.ndarray) -> Outcome:
    """Check a whole straight move, not its end alone: whichever of lava and exits comes first along it counts.

    Parameters
    ----------
    start, move : ndarray
        (E, 2), metres of the room.
    """
    never = np.full(len(start), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_wall = np.where(np.abs(start + move) > WALL, (np.sign(move) * WALL - start) / move, np.inf).min(1)
        slabs = (
            np.array([PILLAR[0::2], PILLAR[1::2]])[:, None] - start
        ) / move  # (2, E, 2): entry and exit of each slab
        enter, leave = np.fmin(slabs[0], slabs[1]), np.fmax(slabs[0], slabs[1])
    still = move == 0.0  # a coordinate that does not move is inside its slab always or never
    inside = (start > PILLAR[0::2]) & (start < PILLAR[1::2])
    enter, leave = np.where(still, np.where(inside, -np.inf, np.inf), enter), np.where(still, np.inf, leave)
    enter, leave = enter.max(1), leave.min(1)
    to_pillar = np.where((enter < leave) & (leave > 0.0) & (enter <= 1.0), np.maximum(enter, 0.0), np.inf)
    to_lava = np.minimum(to_wall, to_pillar)
    first, which = never.copy(), np.full(len(start), -1)
    a = (move**2).sum(1)
    for i, (x, y, _) in enumerate(EXITS):
        offset = start - np.array((x, y))
        b, c = (offset * move).sum(1), (offset**2).sum(1) - EXIT_RADIUS**2
        root = b**2 - a * c
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(c <= 0.0, 0.0, (-b - np.sqrt(np.maximum(root, 0.0))) / a)
        reached = (c <= 0.0) | ((root >= 0.0) & (reach >= 0.0) & (reach <= 1.0))
        sooner = reached & (reach < first)
        first, which = np.where(sooner, reach, first), np.where(sooner, i, which)
    crashed = (to_lava <= 1.0) & (to_lava < first)
    return Outcome(crashed, np.where(crashed, -1, which))


def observe(position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """(E, 4) float32: (x, y, vx / 0.06, vy / 0.06)."""
    return np.concatenate((position, velocity / SPEED), 1).astype(np.float32)


class Room:
    """E rooms stepped together, one episode each (the `BatchEnv` protocol).

    Parameters
    ----------
    position : ndarray
        (E, 2) starts.
    velocity : ndarray, optional
        (E, 2), zero by default.
    """

    def __init__(self, position: np.ndarray, velocity: np.ndarray | None = None) -> None:
        self._start = position.astype(np.float64)
        self._start_velocity = np.zeros_like(self._start) if velocity is None else velocity.astype(np.float64)
        self.reset()

    def reset(self) -> np.ndarray:
        """Put every agent at its start; returns observations (E, 4)."""
        self.position, self.velocity = self._start.copy(), self._start_velocity.copy()
        self._clock = np.zeros(len(self._start), dtype=np.int64)
        return observe(self.position, self.velocity)

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """v' = 0.8 v + 0.03 a, p' = p + v' for the active rooms; actions (E, 2) are clipped to [-1, 1]."""
        velocity = FRICTION * self.velocity + THRUST * np.clip(actions, -1.0, 1.0)
        velocity = np.where(active[:, None], velocity, 0.0)
        outcome = sweep(self.position, velocity)
        self.velocity = np.where(active[:, None], velocity, self.velocity)
        self.position = self.position + velocity
        self._clock += active
        pays = np.array([reward for _, _, reward in EXITS] + [0.0])
        arrived = active & (outcome.exit >= 0)
        ended = arrived | (active & outcome.crashed)
        return StepResult(
            observe(self.position, self.velocity),
            np.where(arrived, pays[outcome.exit], 0.0).astype(np.float32),
            ended,
            active & ~ended & (self._clock >= HORIZON),
            arrived & (outcome.exit == 0),
        )

    def close(self) -> None:
        """Nothing is held."""


class Drivers:
    """The demonstrators: PD drivers on two routes around the pillar (design.md gives the numbers).

    Parameters
    ----------
    start : ndarray
        (E, 2).
    rng : numpy.random.Generator
    """

    def __init__(self, start: np.ndarray, rng: np.random.Generator) -> None:
        count = len(start)
        left = start[:, 0] + 0.1 * rng.standard_normal(count) < 0.1
        x_way = np.where(left, -0.58, 0.72) + 0.05 * rng.standard_normal(count)
        main = rng.random(count) < 0.4
        goal = np.where(main[:, None], EXITS[0][:2], np.where(left[:, None], EXITS[1][:2], EXITS[2][:2]))
        below, above = np.full(count, -0.3), np.full(count, 0.35)
        self._route = np.stack((np.stack((x_way, below), 1), np.stack((x_way, above), 1), goal), 1)
        self._speed = rng.uniform(0.02, 0.05, count)
        self._leg = np.zeros(count, dtype=np.int64)
        self._rng = rng

    def drive(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Actions (E, 2), ‖a‖ ≤ 0.4."""
        each = np.arange(len(position))
        near = np.linalg.norm(self._route[each, self._leg] - position, axis=1) < 0.15
        self._leg = np.minimum(self._leg + near, 2)
        offset = self._route[each, self._leg] - position
        wanted = self._speed[:, None] * offset / np.linalg.norm(offset, axis=1, keepdims=True)
        noise = 0.12 * self._rng.standard_normal(position.shape)
        action = (1.0 - FRICTION) * wanted / THRUST + 0.5 * (wanted - velocity) / SPEED + noise
        norm = np.linalg.norm(action, axis=1, keepdims=True)
        return np.asarray(action * np.minimum(1.0, 0.4 / np.maximum(norm, 1e-12)))


def draw_starts(count: int, rng: np.random.Generator) -> np.ndarray:
    """Start positions (count, 2): x ∈ U(±0.6), y ∈ U(-0.85, -0.75)."""
    return np.stack((rng.uniform(-START_X, START_X, count), rng.uniform(*START_Y, count)), 1)


class ThreeExits:
    """The task ``three_exits``: observations (x, y, vx/0.06, vy/0.06), actions (2,), 80 steps, success is the main exit."""

    info = TaskInfo(
        name="three_exits",
        title="Three exits",
        observation_dim=4,
        action_dim=2,
        horizon=HORIZON,
        summary="a point mass in a room with lava: one exit pays 1, two pay 0.25",
    )

    mode_names = ("main exit by the left", "main exit by the right", "left exit", "right exit")

    def modes(self, path: np.ndarray, first_actions: np.ndarray, returns: np.ndarray) -> np.ndarray:
        """Which exit was reached, and the main one on which side of the pillar, (E,); -1 for episodes that ended in
        lava or ran out of time.
        """
        x, y = path[..., 0], path[..., 1]
        beside = (y > (PILLAR[2] + PILLAR[3]) / 2).argmax(0)  # first tick past the pillar's middle
        right = np.take_along_axis(x, beside[None], 0)[0] > (PILLAR[0] + PILLAR[1]) / 2
        side = np.where(x[-1] < 0.0, 2, 3)
        return np.where(returns >= EXITS[0][2], right.astype(np.int64), np.where(returns > 0.0, side, -1))

    floor = FLOOR

    def stand(self, state: State) -> State:
        """The nearest state to ``state`` (x, y, vx/0.06, vy/0.06) that is not in lava, velocities inside ±2."""
        x, y, *velocity = within_limits(state, FLOOR)
        return (*out_of_blocks(x, y, (PILLAR,)), *velocity)

    def environments_at(self, state: State, count: int, seed: int) -> Room:
        """``count`` rooms that all begin in ``state``; ``seed`` changes nothing."""
        start = np.tile(np.asarray(state, dtype=np.float64), (count, 1))
        return Room(start[:, :2], start[:, 2:] * SPEED)

    outcome_names = ("main exit", "side exit", "into lava", "out of time")

    def outcome_of(self, returns: np.ndarray, success: np.ndarray, terminated: np.ndarray) -> np.ndarray:
        """Which of ``outcome_names`` each episode (E,) ended in."""
        return np.select((success, terminated & (returns > 0.0), terminated), (0, 1, 2), 3)

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """64×2 networks, expectile 0.9, τ 0.02, lr 1e-3 cosine, γ 0.97, rewards ×10; 4000 steps with IQL.

        VGF's own critic learns from 10-step returns and one plain transport step, in 3000 steps on the frozen flow; the
        critic of an actor's own actions from 10-step returns too. The strengths of the methods that are steered in training
        were chosen with the IQL critic on training seed 0.
        """
        shared = {
            "hidden": (64, 64),
            "batch_size": 256,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "tau": 0.02,
            "expectile": 0.9,
            "discount": 0.97,
            "reward_scale": 10.0,
            "critic": critic,
            "fql_alpha": 1.0,
            "edp_bc": 0.3,
            "rebrac_bc": 3.0,
            "awr_temperature": 0.5,
            "qam_inverse_temperature": 5.0,
        }
        if critic == "td_vgf":
            transport = {"transport_steps": 1, "ascent": "plain", "step_size": 0.002, "alpha": 0.02}
            return shared | transport | {"steps": 3000, "reference_steps": 4000, "n_step": 10}
        if critic in ("td_actor", "floq"):
            return shared | {"steps": 4000, "n_step": 10}
        return shared | {"steps": 4000}

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Drive 1500 demonstrations (about 82 000 rows), or as many as give ``rows`` rows."""
        rng = np.random.default_rng(seed)
        count = EPISODES if rows is None else rows // 25 + 20  # the shortest episodes have about 30 steps
        room = Room(draw_starts(count, rng))
        drivers = Drivers(room.position, rng)
        active = np.ones(count, dtype=bool)
        columns: list[list[np.ndarray]] = []
        seen = room.reset()
        while active.any():
            action = drivers.drive(room.position, room.velocity)
            result = room.step(action, active)
            ended = result.terminated | result.truncated
            columns.append([active, seen, action, result.rewards, 1.0 - result.terminated, result.observations, ended])
            seen, active = result.observations, active & ~ended
        stacked = [np.stack(column, 1) for column in zip(*columns, strict=True)]  # (E, steps, ...)
        keep = stacked[0]
        arrays = [array[keep][:rows] for array in stacked[1:]]  # episode after episode
        return make_transitions(*arrays, source="three_exits")

    def environments(self, count: int, seed: int) -> Room:
        """``count`` rooms with starts drawn from ``seed``."""
        return Room(draw_starts(count, np.random.default_rng(seed)))
