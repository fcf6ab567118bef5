"""The ways to better responses that the token table compares: steering of matrices, choice among draws, and training."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from workbench.engine.metrics.cost import network_evaluations
from workbench.engine.models.parts import Critic, Parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import make_rule
from workbench.language.text import LONGEST
from workbench.language.tokens.model import MATRIX, READ, CausalWords
from workbench.language.tokens.preferences import train_dpo, train_on_best
from workbench.language.tokens.proxy import GAIN, Labels, PairProxy, draw_labels, train_proxy
from workbench.language.tokens.room import TokenRoom
from workbench.language.tokens.rounding import FREE, Carried, Narrowing, carry
from workbench.language.tokens.rules import Langevin, MatrixVGF, StraightThrough, WithLikelihood

BEST_SHARE = 0.1  # of the labels, for SFT
LIKELY = 0.05  # weight of log μ beside the proxy, whose values are `GAIN` times the pay
Reads = Literal["matrices", "words", "both"]


class Learned(NamedTuple):
    """What one seed gives: labels, the proxy that learned from them, and the processor seconds that took."""

    labels: Labels
    proxy: PairProxy
    seconds: float


class Made(NamedTuple):
    """Responses of one way: their matrices, and what they cost.

    Attributes
    ----------
    carried : Carried
    train_seconds, draw_seconds : float
        Processor time of training on the labels, and of all responses.
    network_evaluations : int
        Per response.
    """

    carried: Carried
    train_seconds: float
    draw_seconds: float
    network_evaluations: int


@dataclass(frozen=True)
class Way:
    """A way at one strength.

    Attributes
    ----------
    name, setting : str
        The way, and the setting that is its strength.
    value : float
    rule : Rule, optional
        Of a way that steers, or chooses.
    narrowing : Narrowing
    reads : {"matrices", "words", "both"}
        What the rule's critic is: the proxy of the matrices, of the nearest words (straight-through), or of the matrices with
        log μ added.
    train : callable, optional
        Of a way that trains: from the causal model, labels and a generator to a new model.
    """

    name: str
    setting: str
    value: float
    rule: Rule | None = None
    narrowing: Narrowing = FREE
    reads: Reads = "matrices"
    train: Callable[[CausalWords, Labels, torch.Generator], CausalWords] | None = None

    def make(self, room: TokenRoom, learned: Learned, observations: Tensor, generator: torch.Generator) -> Made:
        """Responses at ``observations`` (B, S)."""
        if self.train is not None:
            return self._trained(room, learned.labels, observations, generator)
        assert self.rule is not None
        parts = parts_of(room, learned.proxy, self.reads)
        noise = draw_noise(len(observations), self.rule.particles, MATRIX, generator, self.rule.extra_draws())
        started = time.process_time()
        carried = carry(room, self.rule, parts, observations, noise, self.narrowing)
        seconds = time.process_time() - started
        return Made(carried, learned.seconds, seconds, network_evaluations(self.rule, parts, observations[0]))

    def _trained(self, room: TokenRoom, labels: Labels, observations: Tensor, generator: torch.Generator) -> Made:
        assert self.train is not None
        started = time.process_time()
        policy = self.train(room.model, labels, generator)
        trained = time.process_time()
        chance = torch.rand(len(observations), LONGEST, generator=generator)
        said = policy.respond(room.prompts_of(observations), chance)
        matrices = room.matrices(said[:, -LONGEST:])
        carried = Carried(matrices, matrices, matrices)
        return Made(carried, trained - started, time.process_time() - trained, LONGEST)


def learn(room: TokenRoom, count: int, seed: int) -> Learned:
    """``count`` labels and their proxy, all chance from ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    labels = draw_labels(room, count, generator)
    started = time.process_time()
    proxy = train_proxy(room, labels, generator)
    return Learned(labels, proxy, time.process_time() - started)


def parts_of(room: TokenRoom, proxy: PairProxy, reads: Reads = "matrices") -> Parts:
    """Behaviour policy and proxy as the engine's rules take them; ``reads`` as in `Way`."""
    critic: Critic = proxy
    if reads == "words":
        critic = StraightThrough(room, proxy)
    elif reads == "both":
        critic = WithLikelihood(room, proxy, LIKELY)
    likelihood = StraightThrough(room, room.log_likelihood)
    return Parts(READ, MATRIX, room.behaviour, critic, reward_scale=GAIN, extra={"likelihood": likelihood})


_DRAW: dict[str, Any] = {"flow_steps": 1, "aggregate": "mean", "pick_aggregate": "mean"}


def _gradient(name: str, steps: tuple[int, ...], narrowing: Narrowing = FREE) -> tuple[Way, ...]:
    return tuple(
        Way(name, "steps", n, make_rule("grad_step", steps=n, step_size=0.1, **_DRAW), narrowing) for n in steps
    )


def _vgf(
    name: str, steps: tuple[int, ...], narrowing: Narrowing = FREE, reads: Reads = "matrices", **settings: Any
) -> tuple[Way, ...]:
    every = {"step_size": 0.8, **settings, **_DRAW}
    return tuple(Way(f"vgf ×8{name}", "steps", n, MatrixVGF(steps=n, **every), narrowing, reads) for n in steps)


def _langevin(steps: tuple[int, ...]) -> tuple[Way, ...]:
    made = {n: Langevin(steps=n, step_size=0.002, alpha=0.01, **_DRAW) for n in steps}
    return tuple(Way("langevin", "steps", n, rule, reads="words") for n, rule in made.items())


def _dpo(beta: float, steps: tuple[int, ...]) -> tuple[Way, ...]:
    def train(n: int) -> Callable[[CausalWords, Labels, torch.Generator], CausalWords]:
        return lambda model, labels, generator: train_dpo(model, labels, beta, n, generator)

    return tuple(Way(f"dpo β {beta:g}", "updates", n, train=train(n)) for n in steps)


def _sft(steps: tuple[int, ...]) -> tuple[Way, ...]:
    def train(n: int) -> Callable[[CausalWords, Labels, torch.Generator], CausalWords]:
        return lambda model, labels, generator: train_on_best(model, labels, BEST_SHARE, n, generator)

    return tuple(Way(f"sft best {BEST_SHARE:.0%}", "updates", n, train=train(n)) for n in steps)


PLAIN: tuple[Way, ...] = (
    Way("bc", "", 0, make_rule("bc", flow_steps=1)),
    *(Way("best_of_n", "particles", n, make_rule("best_of_n", particles=n, **_DRAW)) for n in (2, 8, 20, 34, 53, 74)),
    *_vgf("", (4, 8, 12, 16, 20, 28)),
    *_sft((15, 60)),
    *_dpo(0.3, (15, 30)),
    *_dpo(1.0, (60,)),
)
FURTHER: tuple[Way, ...] = (
    *_gradient("grad_step", (16, 32, 48, 64)),
    *_vgf(" + log μ", (12, 16, 20), reads="both"),
    *_langevin((4, 8, 16)),
    *_vgf(", Adam", (16, 32), ascent="adam", step_size=0.02),
    *_vgf(", length kept", (4, 8, 12), Narrowing("length")),
    *_vgf(", annealed", (8, 12), Narrowing("annealed"), step_size=3.2),
    *_vgf(", rounded every 4", (8, 16), Narrowing("every", 4), step_size=3.2),
    *_vgf(", σ² × 0.25", (8, 16, 24), bandwidth=0.25, step_size=1.6),
    *_vgf(", σ² × 4", (8, 12), bandwidth=4.0, step_size=0.4),
)
