"""Checking a user's own parts before they are steered: what is wrong, the likely cause, and the cure, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.inference import outside_inference_mode
from workbench.engine.models.conventions import (
    Field,
    check_endpoints,
    check_prediction,
    check_still,
    check_straight,
    check_unit_of_time,
)
from workbench.engine.models.parts import GivesGradient, Parts, StraightLines
from workbench.engine.models.problems import (
    BATCH_LAYERS,
    Problem,
    ProblemError,
    Report,
    apart,
    check_critic_shape,
    check_field_shape,
    failure,
    layers_in_train_mode,
)
from workbench.engine.words import UserError

ROWS = 7  # of one call; a prime, so that an ensemble of as many members is unlikely
DRAWN = 512  # actions of the behaviour flow that are looked at
STATES = 3  # at which its actions are followed
STEPS = 20
MARGIN = 0.1  # how far beyond [-1, 1] an action counts as outside
INSIDE = 0.8  # share of coordinates that has to end inside
ASTRAY = 1.5  # variance after one long step, in the noise's, from which a flow does not head for the actions
RANDOM_LAYERS = (nn.modules.dropout._DropoutNd,)


@outside_inference_mode
def check_parts(parts: Parts, observations: Tensor | None = None, seed: int = 0) -> Report:
    """Try a velocity field and critics the way steering will, and say in words what is wrong with them.

    Parameters
    ----------
    parts : Parts
        The parts that are there are checked: reference, critic, target_critic, value, normalizer.
    observations : Tensor, optional
        (B, S), B ≥ 1, some real ones, not normalised; standard normal numbers without them.
    seed : int
        Fixes the actions and noise that the parts are tried with; torch's own generator is left as it was.

    Returns
    -------
    Report
        Empty when nothing is wrong. It prints as text: part, what was seen, likely cause, cure.

    Raises
    ------
    UserError
        ``observations`` are not (B, S).

    Examples
    --------
    >>> print(check_parts(Parts(4, 2, my_flow, my_critic)))  # doctest: +SKIP
    """
    probe = _Probe(parts, observations, seed)
    problems: list[Problem] = []
    checks: dict[str, Callable[[], None]] = {"normalizer": probe.normalizer, "reference": probe.reference}
    for name in ("critic", "target_critic", "value"):
        if getattr(parts, name) is not None:
            checks[name] = probe.value if name == "value" else lambda name=name: probe.critic(name)  # type: ignore[misc]
    devices = [parts.device] if parts.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        for name, check in checks.items():
            try:
                check()
            except ProblemError as problem:
                problems.append(Problem(name, *problem.told))
    return Report(problems)


class _Probe:
    """The inputs that parts are tried with, and what is asked of each part."""

    def __init__(self, parts: Parts, observations: Tensor | None, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        if observations is None:
            observations = torch.randn(ROWS, parts.observation_dim, generator=generator)
        if observations.dim() != 2 or observations.shape[1] != parts.observation_dim or len(observations) == 0:
            raise UserError(
                f"observations must be (B, {parts.observation_dim}) for these parts, got {tuple(observations.shape)}"
            )
        self.parts, device = parts, parts.device
        seen = parts.normalize(observations.to(device)).float()
        self.observations = seen[torch.arange(ROWS) % len(seen)]
        self.actions = (2.0 * torch.rand(ROWS, parts.action_dim, generator=generator) - 1.0).to(device)
        self.times = torch.linspace(0.0, 1.0 - 1.0 / ROWS, ROWS, device=device)
        drawn = max(DRAWN, 8 * parts.action_dim)
        self.noise, self.fresh = (
            torch.randn(drawn, parts.action_dim, generator=generator).to(device) for _ in range(2)
        )

    # --- parts --------------------------------------------------------------------------------------------------

    def normalizer(self) -> None:
        """Finite numbers per coordinate, and no division by zero."""
        n = self.parts.normalizer
        if n is None:
            return
        s = self.parts.observation_dim
        if n.mean.shape != (s,) or n.std.shape != (s,):
            raise ProblemError(
                f"mean and std are {tuple(n.mean.shape)} and {tuple(n.std.shape)}, not (S,) = ({s},)",
                "statistics of another data set, or taken over the wrong axis",
                "take mean(0) and std(0) of the observations (rows, S) that the networks were trained on",
            )
        if not bool(torch.isfinite(n.mean).all() and torch.isfinite(n.std).all() and (n.std > 0).all()):
            raise ProblemError(
                "mean or std is not finite, or std is 0 somewhere",
                "a coordinate that never varies in the data",
                "put a floor under it: Normalizer(mean, std.clamp_min(1e-3))",
            )

    def reference(self) -> None:
        """Shape, then time, then where its actions end."""
        d = self.parts.action_dim
        inputs = {"observations": self.observations, "actions": self.actions, "t": self.times}
        self._sound("reference", self.parts.reference, inputs, lambda v, m: check_field_shape(v, m, d))
        self._gradient("reference", self.parts.reference, inputs)
        self._time()

    def critic(self, name: str) -> None:
        """Shape, gradient, and whether a hand-written gradient is that of the value."""
        critic = getattr(self.parts, name)
        inputs = {"observations": self.observations, "actions": self.actions}
        self._sound(name, critic, inputs, check_critic_shape)
        self._gradient(name, critic, inputs)
        if isinstance(critic, GivesGradient):
            self._own_gradient(critic)

    def value(self) -> None:
        """(M,) or (M, 1)."""

        def shape(v: Tensor, m: int) -> None:
            if v.shape not in ((m,), (m, 1)):
                raise ProblemError(
                    f"returns {tuple(v.shape)} for {m} rows, not (M,)",
                    "an output layer with more than one unit",
                    "return one number a row: value[:, 0]",
                )

        self._sound("value", self.parts.value, {"observations": self.observations}, shape)

    # --- what is asked ------------------------------------------------------------------------------------------

    def _call(self, part: Any, inputs: dict[str, Tensor], note: str = "") -> Any:
        try:
            return part(*inputs.values())
        except Exception as error:  # a user's code may raise anything; each is told in words
            raise ProblemError(*failure(error, inputs, part, note)) from error

    @torch.no_grad()
    def _sound(
        self, name: str, part: Any, inputs: dict[str, Tensor], check_shape: Callable[[Tensor, int], None]
    ) -> None:
        """The checks that all parts share, from the plainest on."""
        before = {key: x.clone() for key, x in inputs.items()}
        weights = {key: x.clone() for key, x in part.state_dict().items()} if isinstance(part, nn.Module) else {}
        whole = self._call(part, inputs)
        if not isinstance(whole, Tensor):
            raise ProblemError(
                f"returns a {type(whole).__name__}, not a tensor",
                "a forward that returns several things, a NumPy array, or forgot its return",
                "return the one tensor that is asked for; wrap the network in a lambda that picks it",
            )
        check_shape(whole, ROWS)
        self._numbers(whole)
        for key, x in inputs.items():
            if not torch.equal(x, before[key]):
                raise ProblemError(
                    f"changes its input '{key}' in place",
                    "an operation with an underscore, such as clamp_ or mul_, or an assignment into a slice",
                    f"work on a copy: {key} = {key}.clone(), or the operation without underscore",
                )
        again = self._call(part, inputs)
        if apart(whole, again):
            dropout = layers_in_train_mode(part, RANDOM_LAYERS)
            raise ProblemError(
                "gives two answers to the same question",
                f"{dropout} is active: the network is in train mode" if dropout else "it draws random numbers itself",
                f"{name}.eval() before it goes into Parts"
                if dropout
                else "make it deterministic: steering's only noise is draw_noise's",
            )
        fewer = self._call(part, {key: x[:-2] for key, x in inputs.items()})
        check_shape(fewer, ROWS - 2)
        if whole.shape == (ROWS, ROWS) and fewer.shape == (ROWS - 2, ROWS - 2):
            raise ProblemError(
                "returns an M by M table",
                "a column (M, 1) met a row (M,) and both were broadcast",
                "give both the same shape: q.squeeze(-1), or bonus[:, None]",
            )
        self._neighbours(name, part, inputs, whole)
        if isinstance(part, nn.Module) and any(apart(x, weights[key]) for key, x in part.state_dict().items()):
            raise ProblemError(
                "changes its own weights or buffers when it is called",
                "running statistics in train mode, or a counter",
                f"{name}.eval() before it goes into Parts",
            )

    def _numbers(self, whole: Tensor) -> None:
        if whole.dtype is not torch.float32:
            raise ProblemError(
                f"returns {whole.dtype} for float32 inputs",
                "weights or constants in double precision: NumPy's numbers are float64 unless told otherwise",
                "network.float(), and constants as torch.tensor(..., dtype=torch.float32); or "
                "wb.adapt.in_precision(network, dtype)",
            )
        if whole.device != self.actions.device:
            raise ProblemError(
                f"returns a tensor on {whole.device}, its inputs are on {self.actions.device}",
                "a .cpu() or .cuda() inside, or the reference on another device than the critic",
                f"move all parts to one device: network.to('{self.actions.device}')",
            )
        if not bool(torch.isfinite(whole).all()):
            raise ProblemError(
                "returns NaN or infinity",
                "weights of a run that diverged, a division by zero, or a logarithm of 0",
                "look for the first NaN with torch.autograd.detect_anomaly(); check the weights with torch.isfinite",
            )

    def _neighbours(self, name: str, part: Any, inputs: dict[str, Tensor], whole: Tensor) -> None:
        """Compare one row alone, and all rows in another order, with all rows together."""
        norm = layers_in_train_mode(part, BATCH_LAYERS)
        cause = f"{norm} is in train mode" if norm else "a mean, softmax or sort over dimension 0, which is the batch"
        cure = f"{name}.eval() before it goes into Parts" if norm else "reduce over the last dimension: dim=-1"
        axis = whole.dim() - 1 if name.endswith("critic") and whole.shape[-1] == ROWS else 0
        order = torch.arange(ROWS - 1, -1, -1, device=whole.device)
        for rows in (order, order[:1]):
            part_of = self._call(part, {key: x[rows] for key, x in inputs.items()}, note="one row at a time")
            if part_of.dim() != whole.dim():
                raise ProblemError(
                    f"returns {tuple(part_of.shape)} for one row and {tuple(whole.shape)} for {ROWS}",
                    "squeeze() without a dimension, which drops the batch axis of a single row",
                    "squeeze(-1)",
                )
            if apart(part_of, whole.index_select(axis, rows)):
                raise ProblemError("a row's result depends on the other rows of its batch", cause, cure)

    def _gradient(self, name: str, part: Any, inputs: dict[str, Tensor]) -> None:
        """Does the action have a gradient, and is it finite and not zero everywhere?"""
        with torch.enable_grad():
            leaf = self.actions.clone().requires_grad_()
            out = self._call(part, inputs | {"actions": leaf})
            grad = torch.autograd.grad(out.sum(), leaf, allow_unused=True)[0] if out.requires_grad else None
        rules = "Rules that differentiate through the flow (qgf_jacobian, bptt) need it"
        need = rules if name == "reference" else "Every rule that climbs the critic needs it"
        if grad is None:
            raise ProblemError(
                f"has no gradient in the action. {need}",
                "a detach(), torch.no_grad(), .numpy() or inference_mode() inside, or it ignores the action",
                "leave autograd alone inside the part; steering turns gradients off where it wants none",
            )
        if not bool(torch.isfinite(grad).all()):
            raise ProblemError(
                f"its gradient in the action is NaN or infinite. {need}",
                "a square root or norm at 0, or an overflow",
                "add a small constant below the root: (x.square().sum(-1) + 1e-12).sqrt()",
            )
        if name != "reference" and bool((grad == 0).all()):
            raise ProblemError(
                f"its gradient in the action is 0 at all {ROWS} actions tried. {need}",
                "a round, sign, argmax or comparison inside, or saturated units",
                "check that Q really varies with the action, and that observations are normalised as in training",
            )

    @torch.no_grad()
    def _own_gradient(self, critic: Any) -> None:
        """A hand-written ``value_and_grad`` against the critic's own forward, by finite differences."""
        s, a = self.observations, self.actions
        value, grad = critic.value_and_grad(s, a, "mean")
        step = 1e-2

        def q(actions: Tensor) -> Tensor:
            value: Tensor = critic(s, actions)
            return value.reshape(-1, ROWS).mean(0).double()

        unit = torch.eye(a.shape[1], device=a.device)
        slopes = torch.stack([(q(a + step * u) - q(a - step * u)) / (2.0 * step) for u in unit], 1)
        close = (grad - slopes).norm() <= 0.1 * slopes.norm() + 1e-2 * q(a).abs().max()
        if not bool(close) or apart(value, q(a).float()):
            raise ProblemError(
                "value_and_grad does not agree with calling the critic",
                "a hand-written gradient with a slip in it, or of the batch's mean instead of its sum",
                "remove value_and_grad (autograd then does it), or return Q (M,) and the gradient of Q.sum() (M, D)",
            )

    @torch.no_grad()
    def _time(self) -> None:
        """Run the flow as it is, and with time or sign turned around: which way does it lead from noise to actions?

        At noise a flow heads for the mean of the actions, v(s, x, 0) = E[x_1] - x, so that one long step x + v lands in about
        one place; and its samples end inside the box. Only one of the four ways around does both.
        """
        fields = [self._field(self.observations[i : i + 1]) for i in range(STATES)]
        drawn = (fields, self.noise, self.fresh)
        if isinstance(self.parts.reference, StraightLines) and self.parts.reference.is_straight:
            check_straight(fields, self.noise)
            self._ends_inside(self._way(forward=True, sign=1.0)[1])
            return
        ways = {(forward, sign): self._way(forward, sign) for forward in (True, False) for sign in (1.0, -1.0)}
        spread, inside = ways.pop((True, 1.0))
        if spread <= ASTRAY and inside >= INSIDE:
            check_still(fields, self.noise)
            check_unit_of_time(*drawn)
            check_endpoints(*drawn)
            return
        check_prediction(*drawn)
        others = {way: share for way, (width, share) in ways.items() if width <= ASTRAY / 2.0 and share >= INSIDE}
        if others:
            named = ", which is wb.adapt.reversed_time(v)"
            cause, call, more = {
                (False, -1.0): ("t = 0 is the clean action and t = 1 the noise", "-v(s, a, 1 - t)", named),
                (False, 1.0): ("it is told noise levels: t = 1 is noise", "v(s, a, 1 - t)", ""),
                (True, -1.0): ("its velocity points from the action to the noise", "-v(s, a, t)", ""),
            }[max(others, key=lambda way: others[way])]
            raise ProblemError(
                f"does not lead from noise to actions: one long step from noise multiplies its variance by {spread:.1f}, and "
                f"{inside:.0%} of the coordinates end in [-1, 1]; with time or sign turned around it does",
                f"another convention: {cause}; here t = 0 is noise and t = 1 the clean action",
                f"wrap it: lambda s, a, t: {call}{more}",
            )
        check_unit_of_time(*drawn)
        check_still(fields, self.noise)
        self._ends_inside(inside)

    def _ends_inside(self, inside: float) -> None:
        if inside < INSIDE:
            raise ProblemError(
                f"{1.0 - inside:.0%} of its actions' coordinates end outside [-1, 1]",
                "it was trained on actions of another scale, the observations are not normalised as in training, or it is not "
                "trained at all",
                "train on actions scaled to [-1, 1] (and scale back after steering), or wrap one of standardised actions: "
                "wb.adapt.standardised(v, largest); give Parts the normalizer of training",
            )

    def _field(self, row: Tensor) -> Field:
        """The behaviour flow at one state."""
        return lambda a, t: self.parts.reference(row.expand(len(a), -1), a, t)

    def _way(self, forward: bool, sign: float) -> tuple[float, float]:
        """Variance after one long step from noise, at one state, and share of coordinates that end in [-1, 1], about."""

        def v(rows: Tensor, a: Tensor, t: float) -> Tensor:
            time = torch.full((len(a),), t if forward else 1.0 - t, device=a.device)
            return sign * self.parts.reference(rows, a, time)

        everywhere = self.observations[torch.arange(len(self.noise), device=self.noise.device) % ROWS]
        landed = self.noise + v(everywhere[:1].expand(len(self.noise), -1), self.noise, 0.0)
        a = self.noise
        for i in range(STEPS):
            a = a + v(everywhere, a, i / STEPS) / STEPS
        inside = (a.abs() <= 1.0 + MARGIN).float().mean()
        return float(landed.var(0).mean() / self.noise.var(0).mean()), float(inside)
