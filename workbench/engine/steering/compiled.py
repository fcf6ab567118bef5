"""The fastest way to act: one rule and one policy compiled into one function, for steering a deployed policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from workbench.engine.inference import outside_inference_mode
from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import act, checked, decide

KEPT = 256  # compilations of one piece of code that a process keeps


def compile_whole(function: Callable[..., Any], on_cpu: bool) -> Callable[..., Any]:
    """Compile ``function`` without graph breaks, anew for each shape; on the CPU also the calls between the kernels.

    Every run and batch size of a process compiles the same code once more; torch would refuse the ninth of them, so its
    limit is raised.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, KEPT)
    options: dict[str, Any] | None = {"cpp_wrapper": True} if on_cpu else None
    return torch.compile(function, fullgraph=True, dynamic=False, options=options)


def compile_act(rule: Rule, parts: Parts) -> Callable[[Tensor, Noise], Tensor]:
    """Compile `act` for a rule and its parts.

    The first call with a new batch size compiles (some 20 to 60 seconds, and a C++ compiler or, on CUDA, Triton); later
    calls cost about half of `act` at one state, unless `act` is one call into C already (`workbench.engine.steering.loop`).
    Results agree with `act` to float rounding.

    Parameters
    ----------
    rule : Rule
        Any rule whose steps are plain tensor code.
    parts : Parts

    Returns
    -------
    callable
        ``(observations (B, S), noise) -> actions (B, D)``.
    """
    inner = compile_whole(
        torch.no_grad()(lambda observations, noise: decide(rule, parts, observations, noise)),
        on_cpu=parts.device.type == "cpu",
    )

    def whole(_rule: Rule, _parts: Parts, observations: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        with torch._dynamo.config.patch(trace_autograd_ops=True):  # rules with a Jacobian differentiate inside a step
            result: tuple[Tensor, Tensor] = inner(observations, noise)
        return result

    @outside_inference_mode
    def compiled(observations: Tensor, noise: Noise) -> Tensor:
        return checked(whole, rule, parts, observations, noise)

    compiled.__doc__ = act.__doc__
    return compiled
