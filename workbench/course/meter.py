"""Playing a submission and measuring it, so that it cannot tell one from the other.

Each call to the rule mixes states from running episodes, each at another step, with states at which the shift is measured,
in random order and never the same state twice. What was played is asked again later, and at states that were played the rule is
asked with fresh noise: a rule that answers otherwise there than where it plays is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from workbench.course.player import Player, Refused
from workbench.engine.metrics.intervals import Interval, bootstrap_mean
from workbench.engine.metrics.shift import wasserstein2
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules.bc import BC
from workbench.engine.steering.run import act
from workbench.engine.tasks.rollout import rollout
from workbench.engine.tasks.three_exits import Room, ThreeExits, draw_starts

# states at which a shift is measured (of each kind, about), and actions at each
STATES = 400
DRAWS = 16
AGAIN = 200  # played rows that are asked once more
AT_ONCE = 512  # episodes that run at the same time
MORE = 3 * AT_ONCE  # episodes that do not count
USUAL_LENGTH = 30  # decisions of an episode, about
MAY_CHANGE = 0.02
SAME = 1e-3  # two answers to the same question, action units
DOUBT = 4.0  # standard errors
BEHAVIOUR = BC()  # the behaviour policy is one policy: the flow with ten steps, however many the submission takes


@dataclass(frozen=True)
class Plan:
    """What is played: ``episodes`` on each of ``seeds``."""

    seeds: tuple[int, ...]
    episodes: int


@dataclass(frozen=True)
class Measured:
    """What came out.

    Attributes
    ----------
    returns : ndarray
        (seeds x episodes,), the same starts for every submission.
    shift, own_shift : Interval
        W2 from the behaviour policy at states that it visits, and at states that the submission visits; action units.
    held : list of str
        What was closed to the submission's process.
    """

    returns: np.ndarray
    shift: Interval
    own_shift: Interval
    held: list[str]


@dataclass
class Questions:
    """States at which the rule is asked several times.

    Attributes
    ----------
    states : list of ndarray
        (4,) each.
    waiting : list of list of Noise
        For each state the noise of the draws that are left.
    answers : list of list
        For each state the pairs of action (2,) and noise that came.
    """

    states: list[np.ndarray] = field(default_factory=list)
    waiting: list[list[Noise]] = field(default_factory=list)
    answers: list[list[tuple[np.ndarray, Noise]]] = field(default_factory=list)

    def add(self, state: np.ndarray, noise: list[Noise], first: list[tuple[np.ndarray, Noise]]) -> None:
        """A state, the noise of its draws, and what is known already."""
        self.states.append(state)
        self.waiting.append(noise)
        self.answers.append(first)

    def take(self, count: int, rng: np.random.Generator) -> list[tuple[int, Noise]]:
        """At most ``count`` draws, each of another state, those with many left rather than those with few."""
        left = np.array([len(noise) for noise in self.waiting])
        count = min(count, int((left > 0).sum()))
        if not count:
            return []
        return [(i, self.waiting[i].pop()) for i in rng.choice(len(left), count, replace=False, p=left / left.sum())]

    def done(self) -> bool:
        """Whether no draw waits."""
        return not any(self.waiting)


def measure(player: Player, parts: Parts, plan: Plan) -> Measured:
    """Play and measure a submission; the same ``plan`` gives the same starts and noise to all.

    Raises
    ------
    Refused
        The rule fails, breaks a limit, or answers otherwise where it is measured.
    """
    rng = np.random.default_rng(plan.seeds)
    states = behaviour_states(parts, rng)
    game = Game(player, plan, rng)
    for state in states:
        game.questions.add(state, game.draws(DRAWS), [])
    while not game.over():
        game.turn()
    if game.unsteady():
        raise Refused(
            "asked again with the same state and noise, the rule gives another action: it must draw no random numbers of its "
            "own, remember nothing, and not look at the other states of a call"
        )
    clouds = clouds_of(game.questions, player, parts)
    at_home, own = clouds[: len(states)], clouds[len(states) :]
    if stands_out(own):
        raise Refused("the rule acts otherwise where it plays than where its shift is measured")
    return Measured(game.returns[: game.count], distance(at_home), distance(own), player.held)


class Game:
    """Episodes and questions, asked together.

    Parameters
    ----------
    player : Player
    plan : Plan
    rng : numpy.random.Generator
        Decides who plays in which call, and what is asked again.
    """

    def __init__(self, player: Player, plan: Plan, rng: np.random.Generator) -> None:
        self._player, self._rng = player, rng
        self._generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        self._noise_seed, self._noises = int(rng.integers(2**31)), dict[int, Noise]()
        self.count = len(plan.seeds) * plan.episodes
        starts = [draw_starts(plan.episodes, np.random.default_rng(seed)) for seed in plan.seeds]
        # Some more than count, played while the last questions are asked: there is always play to hide among.
        self._room = Room(np.concatenate([*starts, draw_starts(MORE, rng)]))
        self._seen = self._room.reset()
        total = len(self._seen)
        self.returns, self._step, self._ended = np.zeros(total), np.zeros(total, dtype=np.int64), np.zeros(total, bool)
        self._running = np.arange(min(AT_ONCE, total))
        self.questions, self._again, self._changes = (
            Questions(),
            list[tuple[np.ndarray, Noise, np.ndarray]](),
            list[float](),
        )
        self._decisions = self.count * USUAL_LENGTH

    def draws(self, count: int) -> list[Noise]:
        """Fresh noise for ``count`` draws at one state."""
        drawn = draw_noise(count, self._player.particles, 2, self._generator, self._player.extra)
        return [drawn.states(slice(i, i + 1)) for i in range(count)]

    def over(self) -> bool:
        """Whether all that counts is played and every question asked."""
        return not len(self._running) or bool(self._ended[: self.count].all() and self.questions.done())

    def unsteady(self) -> bool:
        """Whether the same questions got other answers (a few may differ: rounding can tip the pick of a particle)."""
        changes = np.array(self._changes)
        return len(changes) > 0 and float(np.mean(changes > SAME)) > MAY_CHANGE

    def turn(self) -> None:
        """One call to the rule, and one step of the episodes that are in it."""
        rng = self._rng
        playing = self._running[rng.random(len(self._running)) < 0.9]
        share = 1.5 * 2 * STATES * DRAWS / self._decisions
        asked = self.questions.take(1 + rng.binomial(4 * max(len(playing), 16), min(share, 1.0) / 4), rng)
        repeated = [
            self._again.pop(rng.integers(len(self._again))) for _ in range(min(len(self._again), int(rng.integers(4))))
        ]
        pieces = [self._noise_of(playing), *(noise for _, noise in asked), *(noise for _, noise, _ in repeated)]
        noise = joined(pieces)
        others = [self.questions.states[i] for i, _ in asked] + [state for state, _, _ in repeated]
        states = np.concatenate([self._seen[playing], np.reshape(others, (-1, 4))]).astype(np.float32)
        order, actions = rng.permutation(len(states)), np.empty((len(states), 2), dtype=np.float32)
        actions[order] = self._player.act(states[order], noise.states(torch.from_numpy(order)))
        played, remarks = actions[: len(playing)], actions[len(playing) :]
        for (i, drawn), action in zip(asked, remarks[: len(asked)], strict=True):
            self.questions.answers[i].append((action, drawn))
        for (_, _, before), after in zip(repeated, remarks[len(asked) :], strict=True):
            self._changes.append(float(np.abs(after - before).max()))
        self._note(playing, noise, played)
        self._play(playing, played)

    def _noise_of(self, playing: np.ndarray) -> Noise:
        """The noise of each episode's own step: it does not depend on when an episode is played."""
        if not len(playing):
            return draw_noise(0, self._player.particles, 2, self._generator, self._player.extra)
        steps, pieces, order = self._step[playing], [], []
        for step in np.unique(steps):
            here = np.flatnonzero(steps == step)
            pieces.append(self._noise_at(int(step)).states(torch.from_numpy(playing[here])))
            order.append(here)
        return joined(pieces).states(torch.from_numpy(np.argsort(np.concatenate(order))))

    def _noise_at(self, step: int) -> Noise:
        if step not in self._noises:
            generator = torch.Generator().manual_seed(self._noise_seed + step)
            self._noises[step] = draw_noise(len(self._seen), self._player.particles, 2, generator, self._player.extra)
        return self._noises[step]

    def _note(self, playing: np.ndarray, noise: Noise, played: np.ndarray) -> None:
        """Some of what was played is asked again, as it was; at some states the rule is asked with fresh noise too."""
        chance = self._rng.random(len(playing)) * self._decisions
        for k in np.flatnonzero(chance < STATES + AGAIN):
            state, was = self._seen[playing[k]].copy(), noise.states(slice(k, k + 1))
            if chance[k] < STATES:
                if not self._ended[: self.count].all():
                    self.questions.add(state, self.draws(DRAWS - 1), [(played[k], was)])
            else:
                self._again.append((state, was, played[k]))

    def _play(self, playing: np.ndarray, played: np.ndarray) -> None:
        actions, active = np.zeros((len(self._seen), 2), dtype=np.float32), np.zeros(len(self._seen), dtype=bool)
        actions[playing], active[playing] = played, True
        result = self._room.step(actions, active)
        self._seen = result.observations
        self.returns += result.rewards * active
        self._step += active
        self._ended |= active & (result.terminated | result.truncated)
        waiting = np.setdiff1d(np.flatnonzero((self._step == 0) & ~self._ended), self._running)
        running = self._running[~self._ended[self._running]]
        self._running = np.concatenate([running, waiting[: AT_ONCE - len(running)]])


def joined(pieces: list[Noise]) -> Noise:
    """The noise of several groups of states as one."""
    start, choice, extra = (list(piece) for piece in zip(*pieces, strict=True))
    return Noise(torch.cat(start), torch.cat(choice), None if extra[0] is None else torch.cat(extra))


@dataclass(frozen=True)
class Cloud:
    """Actions (R, 2) at one state: the rule's, the behaviour policy's of the same noise, and others of it to tell chance by.

    ``other`` is None where each action has its twin, so that an unsteered rule reads exactly 0.
    """

    chosen: np.ndarray
    home: np.ndarray
    other: np.ndarray | None

    def square(self) -> float:
        """Squared W2, less what chance gives."""
        floor = 0.0 if self.other is None else wasserstein2(self.other, self.home) ** 2
        return wasserstein2(self.chosen, self.home) ** 2 - floor


def clouds_of(questions: Questions, player: Player, parts: Parts) -> list[Cloud]:
    """Every state's cloud: the rule's answers, and the behaviour flow on the same noise."""
    twins, clouds = player.particles == 1 or player.twins, []
    for state, answers in zip(questions.states, questions.answers, strict=True):
        clouds.append((np.stack([action for action, _ in answers]), joined([noise for _, noise in answers]), state))
    if not clouds:
        return []
    noise = joined([noise for _, noise, _ in clouds])
    b, n = noise.choice.shape
    lengths = [len(chosen) for chosen, _, _ in clouds]
    rows = torch.from_numpy(np.repeat([state for _, _, state in clouds], [n * length for length in lengths], 0))
    flow = act(BEHAVIOUR, parts, rows, Noise(noise.start.reshape(b * n, 1, 2), torch.zeros(b * n, 1))).view(b, n, 2)
    first, own = flow[:, 0], flow[torch.arange(b), noise.choice.argmax(1)]  # own: what a uniform pick takes
    home, other = (cloud.split(lengths) for cloud in ((own, own) if twins else (first, own)))
    return [
        Cloud(chosen, home[i].numpy(), None if twins else other[i].numpy()) for i, (chosen, _, _) in enumerate(clouds)
    ]


def behaviour_states(parts: Parts, rng: np.random.Generator) -> np.ndarray:
    """States (STATES, 4) out of whole episodes of the behaviour policy."""
    visited: list[np.ndarray] = []
    rollout(
        BEHAVIOUR,
        parts,
        ThreeExits(),
        STATES,
        int(rng.integers(2**31)),
        record=lambda seen, _a, active, _r: visited.append(seen[active]),
    )
    every = np.concatenate(visited)
    return every[rng.choice(len(every), STATES, replace=False)]


def distance(clouds: list[Cloud]) -> Interval:
    """Root mean square of W2 over states, with its 95% interval over them."""
    square = bootstrap_mean(np.array([cloud.square() for cloud in clouds]))
    return Interval(*(float(np.sqrt(max(value, 0.0))) for value in (square.mean, square.low, square.high)))


def stands_out(clouds: list[Cloud]) -> bool:
    """Whether the first action of each cloud, the one that was played, lies farther out than the others, which only were asked.

    For a rule that acts by state and noise alone the first is one draw among equals: its rank is any rank, equally often.
    """
    if not clouds:
        return False
    for told in (_loneliness, _way_from_home):
        ranks = []
        for cloud in clouds:
            far = told(cloud)
            ranks.append((far[0] > far[1:] + 1e-6).mean() + 0.5 * (np.abs(far[0] - far[1:]) <= 1e-6).mean())
        if (np.mean(ranks) - 0.5) * np.sqrt(12 * len(ranks)) > DOUBT:
            return True
    return False


def _loneliness(cloud: Cloud) -> np.ndarray:
    """Mean distance (R,) of each action to the others."""
    return np.asarray(np.linalg.norm(cloud.chosen[:, None] - cloud.chosen[None], axis=-1).mean(1))


def _way_from_home(cloud: Cloud) -> np.ndarray:
    """Distance (R,) of each action from the behaviour's of the same noise."""
    return np.asarray(np.linalg.norm(cloud.chosen - cloud.home, axis=-1))
