"""Find out from a network's outputs whether it is a velocity field, or follows a convention of diffusion models, or
counts time in other units.

A field that leads from noise z to actions a along x_t = (1 - t) z + t a is, at every x_t, the mean of a - z. This can
be tested without any data: follow the field from noise to endpoints a, draw fresh noise z, and regress a - z on x_t and
on what the field says there. For a velocity field the regression finds nothing better than the field itself; for a flow
that is trained a little, nothing much better.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from workbench.engine.models.problems import ProblemError

Field = Callable[[Tensor, Tensor], Tensor]  # (actions (M, D), t (M,)) -> (M, D), at one state

TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
STEPS = 20
ASTRAY = 0.1  # share of the variance that a regression explains beyond the field; exact flows: below 0.04
EXACT = 0.05
LOST = 0.5  # the same, from which it is no velocity; trained a little, or far from its data: below 0.4; not at all: from 0.4
NEARLY = 0.05  # of a variance counts as none
SCALES = (1000.0, 100.0, 10.0)
STEEP = (
    0.8  # slope at half the time: a prediction of actions, which lie in [-1, 1], is flatter, one of the noise steeper
)


def astray(field: Field, noise: Tensor, fresh: Tensor) -> float:
    """How far ``field`` is from reproducing its own endpoints, at the worst of five times: 0 for a velocity field.

    ``noise`` and ``fresh`` are independent standard normal numbers, (M, D), M > 2 D + 1.
    """
    a, rows = _followed(field, noise), len(noise)
    worst = 0.0
    for t in TIMES:
        x = (1.0 - t) * fresh + t * a
        said, target = field(x, _at(t, x)).double(), (a - fresh).double()
        if not bool(torch.isfinite(said).all() and torch.isfinite(target).all()):
            return float("inf")
        known = torch.cat((x.double(), said, torch.ones(rows, 1, dtype=torch.float64, device=x.device)), 1)
        left = target - known @ (torch.linalg.pinv(known) @ target)
        unexplained = left.square().sum() / (rows - known.shape[1])
        own = (target - said).square().sum() / rows
        worst = max(worst, float((own - unexplained) / (target - target.mean(0)).square().sum() * rows))
    return worst


def check_prediction(fields: list[Field], noise: Tensor, fresh: Tensor) -> None:
    """Raise `ProblemError` for networks that predict the noise or the action; ``fields`` are known not to lead to actions.

    At one end of its time such a network returns what it is given: all noise, or the clean action.
    """
    first, last = _said(fields, noise, 0.0), _said(fields, noise, 1.0)
    slow = first is not None and last is not None and float((first - last).square().mean()) < NEARLY
    unit = 1000.0 if slow else 1.0
    for end in (0.0, unit):
        said, halfway = _said(fields, noise, end), _said(fields, noise, 0.5 * unit)
        if said is None or halfway is None or _apart(said, noise.expand_as(said)) >= NEARLY:
            continue
        slope = _slope(halfway, noise)
        if slope > STEEP and not (unit == 1.0 and _is_reversed(fields, noise, fresh, end)):
            raise ProblemError(
                f"returns its noisy action itself at t = {end:g}, as if that were all noise",
                "it predicts the noise (epsilon), as networks of diffusion models do; following that leads to no action",
                "turn it into a velocity by its own noise schedule x = α a + σ ε: a0 = (x - σ ε) / α, and at time t along "
                "x_t = (1 - t) ε + t a with t = α / (α + σ) call it with x = (α + σ) x_t: v = a0 - ε. "
                "wb.adapt.from_diffusion(network, scheduler) does it",
            )
        still = _said(fields, noise, unit - end)
        if -0.2 < slope <= STEEP and still is not None and abs(_slope(still, noise)) < 0.5:
            _refuse_action_prediction(
                unit - end, f"returns its noisy action itself at t = {end:g}, as if it were clean"
            )


def check_still(fields: list[Field], noise: Tensor) -> None:
    """Raise `ProblemError` for a field that says the same for all noise, as the prediction of an action does."""
    at_noise, at_action = _said(fields, noise, 0.0), _said(fields, noise, 1.0)
    if at_noise is not None and at_action is not None:
        still, varied = (float(said.var(1).mean()) for said in (at_noise, at_action))
        if still < NEARLY * float(noise.square().mean()) < varied:
            _refuse_action_prediction(0.0, "says the same for every noisy action at t = 0, where a velocity varies")


def _refuse_action_prediction(noisy: float, seen: str) -> None:
    time = "t" if noisy == 0.0 else "1 - t" if noisy == 1.0 else f"{noisy:g} * (1 - t)"
    raise ProblemError(
        seen,
        "it predicts the clean action (x0), as some networks of diffusion models do",
        f"turn it into a velocity: v = (x0(s, x, {time}) - x) / (1 - t) where it was trained along x = (1 - t) noise + t action; "
        "else by its own noise schedule: wb.adapt.from_diffusion(network, scheduler, 'sample') does it",
    )


def check_unit_of_time(fields: list[Field], noise: Tensor, fresh: Tensor) -> None:
    """Raise `ProblemError` for a field whose time does not run from 0 to 1."""
    astray = _mean_astray(fields, noise, fresh)
    if astray <= ASTRAY:
        return
    for scale in SCALES:
        scaled = [_scaled(field, scale) for field in fields]
        if (
            _said(scaled, noise, 0.9) is not None
            and _mean_astray(scaled, noise, fresh) <= astray / 3.0
            and _small(scaled, noise)
        ):
            raise ProblemError(
                f"following it does not reproduce its own endpoints, and called with {scale:g} t it does",
                f"its time runs from 0 to {scale:g}, of which 0 to 1 is the very beginning",
                f"wrap it: lambda s, a, t: v(s, a, {scale:g} * t), which is wb.adapt.scaled_time(v, {scale:g})",
            )
    early, late, beyond = (_said(fields, noise, t) for t in (0.1, 0.9, 900.0))
    if early is None or late is None or beyond is None:
        return
    if _apart(early, late) < NEARLY**2 <= _apart(early, beyond):  # one that ignores t altogether does so on purpose
        raise ProblemError(
            "t makes next to no difference between 0.1 and 0.9, and following it does not reproduce its own endpoints",
            "its time runs in other units, such as 0 to 1000",
            "call it with the units of its training: lambda s, a, t: v(s, a, 1000 * t), which is wb.adapt.scaled_time(v, 1000)",
        )


def check_endpoints(fields: list[Field], noise: Tensor, fresh: Tensor) -> None:
    """Raise `ProblemError` for a field that is far from reproducing its own endpoints."""
    astray = _mean_astray(fields, noise, fresh)
    if astray > LOST:
        raise ProblemError(
            f"following it does not reproduce its own endpoints: a straight line explains {astray:.0%} of the variance better",
            "it is no velocity along x_t = (1 - t) noise + t action (a diffusion model's prediction, or another schedule), it "
            "was made for other observations, or it is hardly trained",
            "turn it into a velocity by its own schedule (wb.adapt.from_diffusion); give check_parts real "
            "observations, and Parts the normalizer of training",
        )


def check_straight(fields: list[Field], noise: Tensor) -> None:
    """Raise `ProblemError` for a field that says it leads along straight lines and does not."""
    for field in fields:
        said = field(noise, _at(0.0, noise))
        for t in TIMES:
            if _apart(field(noise + t * said, _at(t, noise)), said) >= NEARLY:
                raise ProblemError(
                    f"its velocity at t = {t:g} is not that of t = 0 on the line that it began",
                    "it has is_straight set, and its lines are curved, as those of a field that flow matching learns",
                    "leave out is_straight, or set it to False",
                )


def _mean_astray(fields: list[Field], noise: Tensor, fresh: Tensor) -> float:
    return sum(astray(field, noise, fresh) for field in fields) / len(fields)


def _is_reversed(fields: list[Field], noise: Tensor, fresh: Tensor, end: float) -> bool:
    """Whether minus the fields are velocities, with time turned around where the noise is at 1.

    At the clean end velocities tell actions apart, which minus a noise prediction does not.
    """
    turned = [_turned(field, end) for field in fields]
    if _mean_astray(turned, noise, fresh) > EXACT:
        return False
    slopes = []
    for field in turned:
        a = _followed(field, noise)
        headed = noise + field(noise, _at(0.0, noise))  # of a velocity field: the mean of the actions
        if float((headed.mean(0) - a.mean(0)).abs().max()) > 0.15:
            return False
        last, away = field(a, _at(0.98, a)), a - a.mean(0)
        slopes.append(float((away * last).sum() / away.square().sum().clamp_min(1e-12)))
    return abs(sum(slopes) / len(slopes)) > 0.5


def _turned(field: Field, end: float) -> Field:
    return lambda a, t: -field(a, t if end == 0.0 else 1.0 - t)


def _scaled(field: Field, scale: float) -> Field:
    return lambda a, t: field(a, scale * t)


def _followed(field: Field, noise: Tensor) -> Tensor:
    a = noise
    for i in range(STEPS):
        a = a + field(a, _at(i / STEPS, a)) / STEPS
    return a


def _small(fields: list[Field], noise: Tensor) -> bool:
    """Whether most actions that the fields lead to lie in [-1, 1], about."""
    ends = torch.stack([_followed(field, noise) for field in fields])
    return float((ends.abs() <= 1.1).float().mean()) >= 0.8


def _slope(said: Tensor, noise: Tensor) -> float:
    """Of what fields say, (states, M, D), over the actions (M, D) that they were given."""
    return float((noise * said).mean() / noise.square().mean())


def _apart(one: Tensor, other: Tensor) -> float:
    """Mean square of the difference, for each of ``other``."""
    return float((one - other).square().mean() / other.square().mean().clamp_min(1e-12))


def _said(fields: list[Field], a: Tensor, t: float) -> Tensor | None:
    """What the fields say, (states, M, D), at a time that may lie outside their range; None where that is nothing of use."""
    try:
        out = torch.stack([field(a, _at(t, a)) for field in fields])
    except Exception:  # a user's code may raise anything there
        return None
    return out if bool(torch.isfinite(out).all()) else None


def _at(t: float, a: Tensor) -> Tensor:
    return torch.full((len(a),), t, device=a.device)
