"""Is this a policy that can be steered, and the participant's own? (Lesson 8.)"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from workbench.course.stopped import why_stopped
from workbench.engine.models.check import check_parts
from workbench.engine.models.parts import Parts
from workbench.engine.steering.finite import NonFiniteError
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import RULES
from workbench.engine.steering.run import steer

ROWS = (7, 3, 1)
SEEDS = (0, 1, 2)
FIELD = "v(observations, actions, t)"
CRITIC = "q(observations, actions)"


def lesson_velocity(observations: Tensor, actions: Tensor, t: Tensor) -> Tensor:
    """The lesson's example, so that it is not handed in unchanged."""
    ring: Tensor = 0.6 * actions / actions.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return (ring - actions) / (1.05 - t)[:, None]


def lesson_critic(observations: Tensor, actions: Tensor) -> Tensor:
    """The lesson's example."""
    return 1.0 - (actions - torch.tensor([0.9, 0.3])).square().sum(dim=1)


def judge_parts(answer: Any) -> str:
    """What is wrong with a participant's policy, "" for nothing: several batches, several seeds, and a guided run."""
    if not isinstance(answer, Parts):
        got = type(answer).__name__
        return f"Bundle them first: `wb.Parts(observation_dim, action_dim, reference=v, critic=q)`. Got a {got}."
    if answer.critic is None:
        return "There is no critic in these parts, so nothing can steer: pass critic=q."
    for part, call in ((answer.reference, FIELD), (answer.critic, CRITIC)):
        if not callable(part):
            return f"A function is wanted, to be called as {call}; got a {type(part).__name__}."
        if not _takes(part, call.count(",") + 1):
            return f"It is called as {call}: it must take {call.count(',') + 1} arguments, in this order."
    try:
        return _calls(answer) or _whose(answer) or _checked(answer) or _steered(answer)
    except Exception as error:  # a participant's own code may fail in any way
        return why_stopped(error, answer.critic, "steer(rows)", (ROWS[0],))


def _takes(part: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(part).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # some built-in functions have no signature: the call will tell
        return True
    return True


def _inputs(parts: Parts, rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    observations = torch.randn(rows, parts.observation_dim, generator=generator)
    return observations, torch.randn(rows, parts.action_dim, generator=generator), torch.rand(rows, generator=generator)


def _calls(parts: Parts) -> str:
    """Both functions, called as steering does."""
    for seed, rows in enumerate(ROWS):
        inputs = _inputs(parts, rows, seed)
        for part, call, given in ((parts.reference, FIELD, inputs), (parts.critic, CRITIC, inputs[:2])):
            assert part is not None
            copies = tuple(tensor.clone() for tensor in given)
            try:
                value = part(*copies)
            except Exception as error:  # as above
                return f"`{call}`: {why_stopped(error, part, call, given)}"
            if not isinstance(value, Tensor) and value in (None, Ellipsis):
                return f"`{call}` returns nothing: is its `return` missing?"
    return ""


def _whose(parts: Parts) -> str:
    """Refuse what the lesson or the workbench wrote."""
    if (parts.observation_dim, parts.action_dim) == (1, 2):
        inputs = _inputs(parts, 64, 0)
        if _alike(parts.reference, lesson_velocity, inputs):
            return "The velocity field is the lesson's own example. Write another: a ring of another size, a cross, two points."
        if _alike(parts.critic, lesson_critic, inputs[:2]):
            return "The critic is the lesson's own example. Write another: another place, two peaks, a slope."
    if all(type(part).__module__.startswith("workbench.") for part in (parts.reference, parts.critic)):
        return "Both parts come from the workbench. Write at least one of the two yourself."
    return ""


def _alike(part: Any, example: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> bool:
    value, wanted = part(*inputs), example(*inputs)
    return isinstance(value, Tensor) and value.shape == wanted.shape and torch.allclose(value, wanted, atol=1e-5)


def _checked(parts: Parts) -> str:
    """The workbench's own check, with several seeds."""
    for seed in SEEDS:
        for problem in check_parts(parts, seed=seed):
            return f"{problem.part}: {problem.what}. Likely cause: {problem.cause}. Cure: {problem.cure}."
    return ""


def _steered(parts: Parts) -> str:
    for seed in SEEDS:
        noise = draw_noise(4, 5, parts.action_dim, torch.Generator().manual_seed(seed))
        observations = _inputs(parts, 4, seed)[0]
        try:
            plain, guided = (steer(RULES[name](), parts, observations, noise).positions for name in ("bc", "qgf"))
        except NonFiniteError as error:
            return f"Some numbers are not finite: {error}. Look for a division by zero or a logarithm of something negative."
        if torch.equal(plain, guided):
            return "The critic moves nothing: its gradient in the action is 0. Does it look at the actions at all?"
    return ""
