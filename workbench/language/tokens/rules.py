"""Rules for matrices of embeddings: VGF with a kernel of chosen width, and Langevin steps on words (SEA)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from workbench.engine.models.critic import Aggregate
from workbench.engine.models.parts import Critic, Parts, q_gradient
from workbench.engine.steering.ascent import Ascent, ascend, fresh_moments
from workbench.engine.steering.kernel import rbf, repulsion
from workbench.engine.steering.protocol import AfterFlow, Info, State, setting
from workbench.language.tokens.room import TokenRoom


class MatrixVGF(AfterFlow):
    r"""VGF, whose kernel is wider or narrower than the median's.

    The median heuristic grows with D by itself: particles at the median distance see each other by k = 1/(N + 1) in 1,000
    dimensions as in two. But distances between matrices of words are all nearly alike, twice the number of words in which two
    responses differ: so σ² of the median is about one word's, and ``bandwidth`` says how many words apart responses still move
    together. Repulsion is textbook SVGD's, since the published push through the median belongs to a bandwidth of 1.

    Source: VGF, arXiv 2604.14265.
    """

    name: ClassVar[str] = "vgf"
    title: ClassVar[str] = "VGF on matrices"
    paper: ClassVar[str] = "VGF, arXiv 2604.14265"
    equation: ClassVar[str] = r"k(x, y) = \exp(-\|x - y\|^2 / (2 c\, \sigma^2))"

    particles: int = setting(8, "particles N transported together", unit="particles", low=1, high=1024, log=True)
    step_size: float = setting(0.1, "step size ε", unit="action", low=0.0, high=10.0, log=True)
    alpha: float = setting(1.0, "temperature α", unit="Q", low=1e-4, high=1e3, log=True)
    bandwidth: float = setting(1.0, "the kernel's σ² over the median's", low=1e-3, high=1e3, log=True)
    ascent: Ascent = setting("plain", "how a direction becomes a step")
    aggregate: Aggregate = setting("mean", "how the ensemble's members are combined for the gradient")

    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """One step along the Stein direction."""
        x, n = state.actions, state.actions.shape[1]
        q, score = self.critic_gradient(parts, state.rows, x)
        kernel = rbf(x)
        gamma = kernel.gamma / self.bandwidth
        kernel = kernel._replace(gamma=gamma, values=torch.exp(-gamma * kernel.distances))
        attraction = kernel.values @ score / (self.alpha * n)
        apart = repulsion(kernel, "fixed_bandwidth") / n
        step, moments = ascend(attraction + apart, state.moments or fresh_moments(x), self.step_size, self.ascent)
        info = Info(1.0, None, {"attraction": attraction, "repulsion": apart}, q, x)
        return step, state._replace(moments=moments), info


class Langevin(AfterFlow):
    r"""Langevin steps towards μ(y) exp(Q(y) / α), which read words and move matrices (straight-through).

    .. math:: x \leftarrow x + \epsilon \nabla \big[\log \mu + Q / \alpha\big](\mathrm{round}(x)) + \sqrt{2 \epsilon}\, \xi

    Source: SEA, arXiv 2505.20081. Departure: SEA moves logits of words, this the embeddings, as the other rules do. The
    critics of the parts must be `StraightThrough`, and the learned part "likelihood" gives log μ.
    """

    name: ClassVar[str] = "langevin"
    title: ClassVar[str] = "Langevin, straight-through"
    paper: ClassVar[str] = "SEA, arXiv 2505.20081"
    equation: ClassVar[str] = (
        r"x \leftarrow x + \epsilon \nabla[\log\mu + Q/\alpha](\mathrm{round}(x)) + \sqrt{2\epsilon}\,\xi"
    )
    needs: ClassVar[tuple[str, ...]] = ("reference", "critic", "likelihood")

    step_size: float = setting(0.001, "step size ε", unit="action²", low=0.0, high=1.0, log=True)
    alpha: float = setting(1.0, "temperature α", unit="Q", low=1e-4, high=1e3, log=True)
    aggregate: Aggregate = setting("mean", "how the ensemble's members are combined for the gradient")

    def extra_draws(self) -> int:
        """L."""
        return self.steps

    def move(self, parts: Parts, state: State) -> tuple[Tensor, State, Info]:
        """One Langevin step."""
        x = state.actions
        q, score = self.critic_gradient(parts, state.rows, x)
        _, likely = q_gradient(parts.part("likelihood"), state.rows, x.flatten(0, 1), "mean")
        assert state.extra is not None
        noise = math.sqrt(2.0 * self.step_size) * state.extra[:, :, state.tick - self.flow_steps]
        push = self.step_size * (score / self.alpha + likely.view(x.shape))
        return push + noise, state, Info(1.0, None, {"guidance": push, "noise": noise}, q, x)


class StraightThrough:
    """A critic that reads rounded matrices, and hands its gradient there to the matrices as they are.

    Parameters
    ----------
    room : TokenRoom
    inner : Critic
        On matrices.
    """

    def __init__(self, room: TokenRoom, inner: Critic) -> None:
        self._room, self._inner = room, inner

    def __call__(self, observations: Tensor, matrices: Tensor) -> Tensor:
        """The critic's values of the nearest words; their gradient is the critic's there."""
        rounded = self._room.round(matrices.detach())
        return self._inner(observations, rounded + (matrices - matrices.detach()))


class WithLikelihood:
    """A critic plus ``weight`` times log μ: what the proxy likes and the causal model finds likely, at two evaluations.

    Parameters
    ----------
    room : TokenRoom
    inner : Critic
        On matrices.
    weight : float
        In units of the critic's values a nat.
    """

    passes = 2

    def __init__(self, room: TokenRoom, inner: Critic, weight: float) -> None:
        self._room, self._inner, self._weight = room, inner, weight

    def __call__(self, observations: Tensor, matrices: Tensor) -> Tensor:
        """The critic's values, each with the weighted log μ."""
        return self._inner(observations, matrices) + self._weight * self._room.log_likelihood(observations, matrices)
