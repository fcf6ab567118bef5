"""A rule and its policy as one program of tensor operations, which runs without this package."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from workbench.engine.models.parts import Parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.run import decide
from workbench.engine.words import UserError

TRACED = 61  # states while any number of them is traced: torch takes sizes that are equal for the same letter


def inputs_of(rule: Rule) -> tuple[str, ...]:
    """Names of the program's inputs: ``observations`` (B, S), then the noise of `draw_noise`."""
    return ("observations", "start", "choice", *(["extra"] if rule.extra_draws() else []))


def arguments_of(rule: Rule, observations: Tensor, noise: Noise) -> tuple[Tensor, ...]:
    """What the program takes, in the order of `inputs_of`."""
    if rule.extra_draws():
        assert noise.extra is not None, "drawn with the rule's own extra_draws"
        return observations, noise.start, noise.choice, noise.extra
    return observations, noise.start, noise.choice


def program_of(rule: Rule, parts: Parts, states: int | None = None) -> torch.export.ExportedProgram:
    """Everything that `act` does, as a program: normaliser, flow steps, guidance, clips, and the choice of the particle.

    Derivatives of the critic are in it as plain operations, so that whoever runs it needs no automatic differentiation.

    Parameters
    ----------
    rule : Rule
    parts : Parts
        Torch modules, on the CPU.
    states : int, optional
        B, for which alone the program is made; without it any number of states can be given.

    Returns
    -------
    ExportedProgram
        ``(observations (B, S), start (B, N, D), choice (B, N)[, extra (B, N, M, D)]) -> (actions (B, D), check ())``, of which
        ``check`` is NaN or infinite as soon as any number on the way was.

    Raises
    ------
    UserError
        The rule or the parts do what no program can hold, such as a step that depends on a value; the words say what.
    """
    generator = torch.Generator().manual_seed(0)
    others = {parts.observation_dim, parts.action_dim, rule.particles, rule.extra_draws()}
    count = next(number for number in range(TRACED, 2 * TRACED) if number not in others) if states is None else states
    noise = draw_noise(count, rule.particles, parts.action_dim, generator, rule.extra_draws())
    example = arguments_of(rule, torch.randn(count, parts.observation_dim, generator=generator), noise)

    sizes = [tensor.shape[1:] for tensor in example]

    def whole(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        # All sizes are letters here; all but the first are numbers from now on.
        observations, *drawn = (x.reshape(x.shape[0], *known) for x, known in zip(inputs, sizes, strict=True))
        return decide(rule, parts, observations, Noise(*drawn))

    try:
        with quiet():
            with torch.no_grad():
                mode: Literal["fake", "symbolic"] = "fake" if states else "symbolic"
                traced = make_fx(whole, tracing_mode=mode, _allow_non_fake_inputs=True)(*example)
            named = (_NamedWithExtra if rule.extra_draws() else _Named)(traced)
            program = torch.export.export(named, example, dynamic_shapes=_shapes(example, states), strict=False)
        if states is None and not program.range_constraints:
            raise ValueError("its code takes one number of states alone")
        return program
    except Exception as error:  # whatever stands in the way of torch's tracers, who exports is told
        if states is None:
            raise UserError(
                f"rule '{rule.name}' cannot be exported for any number of states ({_first_line(error)}); export it for a fixed "
                "number of them"
            ) from error
        raise UserError(f"rule '{rule.name}' with these parts cannot be exported: {_first_line(error)}") from error


class _Named(nn.Module):
    """The traced graph behind inputs that have names."""

    def __init__(self, traced: nn.Module) -> None:
        super().__init__()
        self.traced = traced

    def forward(self, observations: Tensor, start: Tensor, choice: Tensor) -> Any:
        """As `program_of` says."""
        return self.traced(observations, start, choice)


class _NamedWithExtra(_Named):
    """The same for a rule that asks for further noise."""

    def forward(self, observations: Tensor, start: Tensor, choice: Tensor, extra: Tensor) -> Any:  # type: ignore[override]
        """As `program_of` says."""
        return self.traced(observations, start, choice, extra)


def _shapes(example: tuple[Tensor, ...], states: int | None) -> tuple[dict[int, Any], ...] | None:
    """The first size of every input may vary, and is the same in all; torch finds how far."""
    return None if states is not None else tuple({0: torch.export.Dim.AUTO} for _ in example)


def most_states(program: torch.export.ExportedProgram) -> int | None:
    """The largest number of states that a program for any number of them takes; None where there is no bound.

    A rule that works through its states in pieces is a program for one piece.
    """
    uppers = [bounds.upper for bounds in program.range_constraints.values()]
    finite = [int(upper) for upper in uppers if upper.is_finite and upper < torch.iinfo(torch.int32).max]
    return min(finite, default=None)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error) or 'no words').splitlines()[0][:200]}"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's tracers from telling the user what they skip."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about torch's own insides
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
