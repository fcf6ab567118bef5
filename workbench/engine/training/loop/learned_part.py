"""Further learned parts for a policy that is there: they are trained against its flow and critic, which stay as they are."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from workbench.engine.data.replay import Replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.critic import StateValue
from workbench.engine.models.parts import Parts
from workbench.engine.precision import fast_matmul, few_threads
from workbench.engine.training.config import FitConfig
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.losses.loss import Loss, Scene
from workbench.engine.training.networks import Networks, seed_of, shape_of
from workbench.engine.training.plan import BESIDE, LOSSES, Phase, check_part
from workbench.engine.words import UserError


class LearnedPart:
    """One learned part of ``parts``, and what has to be trained beside it.

    The behaviour flow and the critic may be anything that `Parts` takes: trained networks or closed forms. A network that the
    part reads and the policy lacks (the state value of a policy that has a critic alone) is trained with it.

    Parameters
    ----------
    parts : Parts
    config : FitConfig
        Network widths, seed, and the settings of the part's loss.
    name : str
        A key of `workbench.engine.training.plan.EXTRA`.

    Attributes
    ----------
    keys : tuple of str
        Keys of `workbench.engine.training.plan.LOSSES`.
    networks : Networks
        The given ones, and fresh ones for what is to be trained.
    trains, targets : tuple of str
        Names of the networks that get gradients, and of their EMA targets.

    Raises
    ------
    UserError
        No such part, or these parts lack what it learns from.
    """

    def __init__(self, parts: Parts, config: FitConfig, name: str) -> None:
        check_part(name)
        if parts.critic is None:
            raise UserError(f"part '{name}' learns from a critic, and these parts have {', '.join(parts.available())}")
        absent = [read for read in LOSSES[name].reads if read not in parts.available()]
        unknown = [read for read in absent if read not in BESIDE]
        if unknown:
            raise UserError(f"part '{name}' reads '{unknown[0]}', which these parts lack; train anew: workbench fit")
        self.given, self.config, self.name = parts, config, name
        self.keys = (*(BESIDE[read] for read in absent), name)
        self.networks = _networks(parts, config, self.keys)
        self.trains = tuple(n for key in self.keys for n in LOSSES[key].trains)
        self.targets = tuple(f"target_{n}" for key in self.keys for n in LOSSES[key].targets)

    def arrays(self) -> dict[str, Tensor]:
        """Views of the weights of what is trained, targets included, by name."""
        found: dict[str, Tensor] = {}
        for name in (*self.trains, *self.targets):
            found |= {f"{name}.{key}": array for key, array in self.networks.net(name).arrays().items()}
        return found

    @torch.no_grad()
    def load(self, arrays: dict[str, Tensor]) -> None:
        """Take over what `arrays` gave; UserError when it is something else."""
        mine = self.arrays()
        if {n: a.shape for n, a in mine.items()} != {n: a.shape for n, a in arrays.items()}:
            raise UserError(f"these are not the weights of part '{self.name}'")
        for name, view in mine.items():
            view.copy_(arrays[name])

    def parts(self) -> Parts:
        """The given parts with frozen copies of what was trained."""
        extra = {n: _frozen(module) for n, module in self.networks.extra.items() if n not in self.given.extra}
        value = _frozen(self.networks.value) if "value" in self.trains else self.given.value
        return replace(self.given, value=value, extra=dict(self.given.extra) | extra)


class LearnedPartTrainer:
    """Trains a learned part (the `Trains` protocol: `workbench.engine.training.loop.fit.fit` runs it).

    Departure from training all together (`Trainer`): the critic that the part learns from is the finished one from the start.

    Parameters
    ----------
    data : Transitions
    further : LearnedPart
        Its parts' observation normalisation, reward scale and chunk are kept; those of its settings are not read.

    Raises
    ------
    UserError
        The data are not those of the parts' task.
    """

    def __init__(self, data: Transitions, further: LearnedPart) -> None:
        parts, config = further.given, further.config
        sizes = (data.observation_dim, data.action_dim * parts.chunk)
        if sizes != (parts.observation_dim, parts.action_dim):
            raise UserError(
                f"the data have {sizes[0]} observation and {sizes[1]} action numbers, these parts "
                f"{parts.observation_dim} and {parts.action_dim}: they are of different tasks"
            )
        self.further, self.step_number = further, 0
        self.losses: dict[str, Loss] = {key: LOSSES[key](config) for key in further.keys}
        self._phase = Phase(further.name.replace("_", " "), config.steps, further.keys)
        self.weights = {name: further.networks.net(name).theta for name in further.trains}
        self._scene, self._adam = Scene(further.networks), Adam(self.weights)
        self._generator = torch.Generator().manual_seed(seed_of(config.seed, "further", further.name))
        self._replay = Replay(
            data,
            further.networks.mean,
            further.networks.std,
            steps=max(config.n_step, parts.chunk),
            chunk=parts.chunk,
            discount=parts.discount,
            reward_scale=parts.reward_scale,
            device=torch.device("cpu"),
        )

    @property
    def total_steps(self) -> int:
        """Updates in all."""
        return self._phase.steps

    @property
    def finished(self) -> bool:
        """All updates are done."""
        return self.step_number >= self.total_steps

    def phase(self) -> tuple[Phase, int]:
        """The only phase, and the updates done in it."""
        return self._phase, self.step_number

    def step(self) -> dict[str, Tensor]:
        """Do one update; returns the losses."""
        config, networks = self.further.config, self.further.networks
        batch = self._replay.batch(self._replay.draw(config.batch_size, self._generator))
        rate = config.learning_rate
        if config.schedule == "cosine":
            rate *= 0.5 * (1.0 + math.cos(math.pi * self.step_number / self.total_steps))
        found: dict[str, Tensor] = {}
        size = (config.batch_size, max(config.hidden), torch.device("cpu"))
        with few_threads(*size), fast_matmul(*size), torch.enable_grad():
            for loss in self.losses.values():
                found |= loss(self._scene, batch, loss.draw(batch, self._generator))
            torch.autograd.backward(list(found.values()))
        with torch.no_grad():
            for name in self.further.targets:
                networks.net(name).theta.lerp_(networks.net(name.removeprefix("target_")).theta, config.tau)
        self._adam.step(rate)
        self.step_number += 1
        return {name: loss.detach() for name, loss in found.items()}


def _networks(parts: Parts, config: FitConfig, keys: tuple[str, ...]) -> Networks:
    """The given parts where they are, and fresh networks for what ``keys`` train."""
    mean, std = torch.zeros(parts.observation_dim), torch.ones(parts.observation_dim)
    if parts.normalizer is not None:
        mean, std = parts.normalizer.mean, parts.normalizer.std
    extra: dict[str, nn.Module] = dict(parts.extra)
    value: Any = parts.value
    for key in keys:
        own = torch.Generator().manual_seed(seed_of(config.seed, key))
        built = LOSSES[key].build(config, parts.observation_dim, parts.action_dim, own)
        targets = {
            f"target_{n}": copy.deepcopy(built[n]).requires_grad_(False) for n in LOSSES[key].targets if n in built
        }
        extra |= built | targets
        if "value" in LOSSES[key].trains:
            value = StateValue(parts.observation_dim, shape_of(config, parts.observation_dim, 1), own)
    critic = cast(Any, parts.critic)
    target = critic if parts.target_critic is None else cast(Any, parts.target_critic)
    return Networks(cast(Any, parts.reference), critic, target, value, mean, std, extra)


def _frozen(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).requires_grad_(False)


def fingerprint(parts: Parts) -> str:
    """A digest of the weights and constants of ``parts``, in hexadecimal; "" when one of them is no torch module."""
    digest = hashlib.sha256()
    for name in ("reference", "critic", "target_critic", "value"):
        part = getattr(parts, name)
        if part is None:
            continue
        if not isinstance(part, nn.Module):
            return ""
        _add(digest, name, part.state_dict())
    if parts.normalizer is not None:
        _add(digest, "normalizer", {"mean": parts.normalizer.mean, "std": parts.normalizer.std})
    return digest.hexdigest()


def _add(digest: Any, name: str, arrays: Mapping[str, Tensor]) -> None:
    for key, array in sorted(arrays.items()):
        digest.update(f"{name}.{key}{tuple(array.shape)}".encode())
        digest.update(array.detach().cpu().contiguous().numpy().tobytes())
