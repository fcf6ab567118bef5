"""Learned parts for a policy that is there: they are trained against its flow and critic, which stay as they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.engine.data.replay_mapped import make_replay
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.training.build import build, own_generator
from workbench.engine.training.config import FitConfig
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.fast.gradients import Gradients
from workbench.engine.training.loop.update import learning_rate, update
from workbench.engine.training.losses import LOSSES
from workbench.engine.training.losses.loss import Scene, followed
from workbench.engine.training.networks import OF_EVERY_POLICY, Networks, fields_of, seed_of
from workbench.engine.training.plan import BESIDE, Phase, check_part
from workbench.engine.words import UserError


class LearnedPart:
    """A learned part for the policy ``parts``, and what has to be trained beside it.

    The behaviour flow and the critic may be anything that `Parts` takes: trained networks or closed forms. A network that the
    part reads and the policy lacks is trained with it, such as the state value of a policy that has a critic alone.

    Parameters
    ----------
    parts : Parts
    config : FitConfig
        Network widths, seed, and the settings of the part's loss.
    name : str
        A key of `workbench.engine.training.losses.LEARNED_PARTS`.

    Attributes
    ----------
    keys : tuple of str
        Keys of `workbench.engine.training.losses.LOSSES`.
    networks : Networks
        Those of ``parts``, and fresh ones for what is to be trained.
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
        self.targets = tuple(f"target_{n}" for n in followed(LOSSES[key] for key in self.keys))

    def arrays(self) -> dict[str, Tensor]:
        """Views of the weights of what is trained, targets included, by name."""
        return {
            f"{name}.{key}": array
            for name in (*self.trains, *self.targets)
            for key, array in self.networks.net(name).arrays().items()
        }

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
        trained = fields_of(self.networks.frozen((*self.trains, *self.targets)))
        trained["extra"] = dict(self.given.extra) | trained["extra"]
        return replace(self.given, **trained)


class LearnedPartTrainer:
    """Trains a learned part; `workbench.engine.training.loop.fit.fit` runs it.

    In a `Trainer` a part learns from the critic while that is trained too; here the critic is finished from the start.

    Parameters
    ----------
    data : Transitions
    learned : LearnedPart
        The observation normalisation, the reward scale and the chunk are those of its parts, not those of its settings.

    Raises
    ------
    UserError
        The data are not those of the parts' task.
    """

    def __init__(self, data: Transitions, learned: LearnedPart) -> None:
        parts, config = learned.given, learned.config
        sizes = (data.observation_dim, data.action_dim * parts.chunk)
        if sizes != (parts.observation_dim, parts.action_dim):
            raise UserError(
                f"the data have {sizes[0]} observation and {sizes[1]} action numbers, these parts "
                f"{parts.observation_dim} and {parts.action_dim}: they are of different tasks"
            )
        self.learned, self.step_number = learned, 0
        self.losses = {key: LOSSES[key](config) for key in learned.keys}
        self._phase = Phase(learned.name.replace("_", " "), config.steps, learned.keys)
        self.weights = {name: learned.networks.net(name).theta for name in learned.trains}
        self._adam = Adam(self.weights)
        self._gradients = Gradients(self.losses, Scene(learned.networks), self.weights, repeats=False)
        self._generator = torch.Generator().manual_seed(seed_of(config.seed, "further", learned.name))
        self._replay = make_replay(
            data,
            learned.networks.mean,
            learned.networks.std,
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

    def step(self, most: int = 1) -> dict[str, Tensor]:
        """Do one update, whatever ``most`` allows; returns the losses."""
        config = self.learned.config
        index = self._replay.draw(config.batch_size, self._generator)
        batch = self._replay.batch(index, self._replay.noise(len(index), self._generator))
        noise = {key: loss.draw(batch, self._generator) for key, loss in self.losses.items()}
        rate = learning_rate(config, self.step_number, self.total_steps)
        losses = update(self._gradients, batch, noise, self._adam, config, rate)
        self.step_number += 1
        return losses


def _networks(parts: Parts, config: FitConfig, keys: tuple[str, ...]) -> Networks:
    """The given parts where they are, and fresh networks for what ``keys`` train."""
    mean, std = torch.zeros(parts.observation_dim), torch.ones(parts.observation_dim)
    if parts.normalizer is not None:
        mean, std = parts.normalizer.mean, parts.normalizer.std
    modules = {name: getattr(parts, name) for name in OF_EVERY_POLICY} | dict(parts.extra)
    if modules["target_critic"] is None:
        modules["target_critic"] = parts.critic
    for key in keys:
        modules |= build(key, config, parts.observation_dim, parts.action_dim, own_generator(key, config))
    return Networks.of(modules, mean, std)


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
