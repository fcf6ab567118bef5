"""The training loop's state and its single update."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workbench.engine.allocator import keep_large_blocks
from workbench.engine.cuda import recorder_for
from workbench.engine.data.picture_rows import PictureReplay
from workbench.engine.data.replay import Beside
from workbench.engine.data.replay_mapped import make_replay
from workbench.engine.data.transitions import Batch, Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.precision import check_precision
from workbench.engine.training.build import build_networks
from workbench.engine.training.config import FitConfig
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.fast.choice import Choice, choose, in_words, measure
from workbench.engine.training.fast.compiled import CompiledUpdate, require_compiler
from workbench.engine.training.fast.gradients import Gradients, Noise
from workbench.engine.training.fast.graphs import Launches
from workbench.engine.training.loop.update import learning_rate, update
from workbench.engine.training.losses import CRITICS, LEARNED_PARTS, LOSSES
from workbench.engine.training.losses.critic import CACHE_ROWS
from workbench.engine.training.losses.loss import Loss, Scene
from workbench.engine.training.networks import seed_of
from workbench.engine.training.plan import Phase, plan, trained_parts
from workbench.engine.words import UserError

STD_FLOOR = 1e-3  # a coordinate that hardly varies is not blown up


class Trainer:
    """Networks, optimiser and random state of one run; `step` is one update.

    Parameters
    ----------
    data : Transitions
    config : FitConfig
    device : torch.device or str

    Attributes
    ----------
    launches : Launches or None
        What `step` launches recorded updates with, on a GPU; None where updates are done operation by operation.
    """

    def __init__(self, data: Transitions, config: FitConfig, device: torch.device | str = "cpu") -> None:
        keep_large_blocks()
        config = CRITICS[config.critic].suited(config, data)
        self.config, self.device = config, torch.device(device)
        check_precision(config.precision, self.device)
        if config.compile:
            require_compiler()
            if config.precision != "highest":
                raise UserError(
                    f"precision={config.precision} is not for compiled updates; leave out compile=true, or precision"
                )
        self.phases = plan(config)
        self.total_steps = sum(phase.steps for phase in self.phases)
        self.step_number = 0
        self.networks = build_networks(config, data.observation_dim, data.action_dim * config.chunk)
        if config.normalize_observations and config.encoder == "none":
            mean, std = data.moments()
            self.networks.mean = torch.from_numpy(mean).float()
            self.networks.std = torch.from_numpy(std).float().clamp_min(STD_FLOOR)
        self.networks.to(self.device)
        self.generator = torch.Generator(self.device).manual_seed(config.seed)
        self.trained = trained_parts(config)
        self.weights = {n: self.networks.net(n).theta for n in self.trained if not n.startswith("target_")}
        self.adam = Adam(self.weights)
        self.data = data
        self._critic = CRITICS[config.critic](config)
        self.losses: dict[str, Loss[Any]] = {key: LOSSES[key](config) for phase in self.phases for key in phase.losses}
        self.losses[config.critic] = self._critic
        self.replay = make_replay(
            data,
            self.networks.mean,
            self.networks.std,
            steps=config.n_step,
            chunk=config.chunk,
            discount=config.discount,
            reward_scale=config.reward_scale,
            device=self.device,
            beside=Beside(self._critic.next_actions, self._critic.long_chunk),
        )
        if isinstance(self.replay, PictureReplay):
            self.replay.crop = config.crop
        self._scene = Scene(self.networks)
        self._gradients = Gradients(self.losses, self._scene, self.weights, repeats=True)
        self.compiled: dict[str, bool] = {}  # by the names of the losses, where settings ask for the compiled update
        self.choice: Choice | None = None  # the latest
        self._compilations: dict[tuple[str, ...], CompiledUpdate] = {}
        recorder = None if config.compile else recorder_for(self.device)
        self.launches = None if recorder is None else Launches(self, recorder)

    @property
    def finished(self) -> bool:
        """All updates are done."""
        return self.step_number >= self.total_steps

    def phase(self) -> tuple[Phase, int]:
        """The current phase and the updates already done in it."""
        done = self.step_number
        for phase in self.phases:
            if done < phase.steps:
                return phase, done
            done -= phase.steps
        return self.phases[-1], self.phases[-1].steps

    def learning_rate(self, ahead: int = 0) -> float:
        """Learning rate of the update after ``ahead`` more, of the same phase: constant, or half a cosine over the phase."""
        phase, done = self.phase()
        return learning_rate(self.config, done + ahead, phase.steps)

    def left(self) -> int:
        """Updates until the phase ends."""
        phase, done = self.phase()
        return phase.steps - done

    def step(self, most: int = 1) -> dict[str, Tensor]:
        """Do the next update on a minibatch drawn from the run's own generator; returns the losses (still on the device).

        On a GPU several updates, of ``most`` at most, may be launched at once; the losses are those of the last one.
        """
        if self.launches is not None:
            self._cache_samples()
            losses = self.launches.step(most)
            if losses is not None:
                return losses
            self.launches = None
        return self.learn(self.replay.draw(self.config.batch_size, self.generator))

    def learn(self, index: Tensor, learning_rate: float | None = None) -> dict[str, Tensor]:
        """Do one update on the rows ``index`` (M,), with the losses of the current phase (after the end, of the last one).

        ``learning_rate`` takes the place of the run's schedule.
        """
        self._cache_samples()
        losses = self.update(*self.draw(index), learning_rate)
        self.step_number += 1
        return losses

    def _cache_samples(self) -> None:
        phase, _ = self.phase()
        if phase.cached and self._scene.cache is None:
            self._scene.cache = self.draw_cache()

    def draw(self, index: Tensor | None = None, *, ahead: int = 0) -> tuple[Batch, Noise]:
        """Minibatch of the update after ``ahead`` more and the noise of its losses, from the run's own generator.

        The minibatch is drawn here, or holds the rows ``index``.
        """
        if index is None:
            index = self.replay.draw(self.config.batch_size, self.generator)
        phase, _ = self.phase()
        batch = self.replay.batch(index, self.replay.noise(len(index), self.generator))
        return batch, {key: self.losses[key].draw(batch, self._source(key, ahead)) for key in phase.losses}

    def make_room(self, rows: int) -> None:
        """Let ``rows`` rows be added to the data; see `Replay.make_room`."""
        self.replay.make_room(rows)
        if self.phases[-1].cached:
            drawn = self.draw_cache()
            self._scene.cache = torch.cat((drawn, drawn.new_zeros(rows, *drawn.shape[1:])))

    def append(self, data: Transitions, samples: Tensor | None = None) -> Tensor | None:
        """Add rows to the data, and to the cache of reference samples where there is one.

        Parameters
        ----------
        data : Transitions
        samples : Tensor, optional
            (A, N, D), what was returned when these rows were added before; without it they are drawn.

        Returns
        -------
        Tensor or None
            The reference samples of the rows that found room, on the CPU; None where none are cached.
        """
        number = self.replay.appended
        places = self.replay.append(data).to(self.device)
        cache = self._scene.cache
        if cache is None:
            return None
        if samples is None:
            generator = torch.Generator(self.device).manual_seed(seed_of(self.config.seed, "appended", number))
            following = self.replay.batch(places).next_observations
            drawn = [self._critic.samples(self.networks, rows, generator) for rows in following.split(CACHE_ROWS)]
            samples = torch.cat(drawn)
        cache[places] = samples.to(self.device)
        return samples.cpu()

    @property
    def generators(self) -> list[torch.Generator]:
        """The run's own generator."""
        return [self.generator]

    @property
    def draws_by_itself(self) -> bool:
        """Whether this phase draws from the run's generator alone, out of data that lie on the device."""
        phase, _ = self.phase()
        return self.replay.is_held and not any(key in LEARNED_PARTS for key in phase.losses)

    def bound_to(self) -> Hashable:
        """The phase, and where the data and the cache of reference samples lie."""
        cache = self._scene.cache
        return self.phase()[0], self.replay.place, None if cache is None else cache.data_ptr()

    def _source(self, key: str, ahead: int) -> torch.Generator:
        """The run's generator; for a learned part one of its own, so that training it changes no other network."""
        if key not in LEARNED_PARTS:
            return self.generator
        return torch.Generator(self.device).manual_seed(seed_of(self.config.seed, key, self.step_number + ahead))

    def update(self, batch: Batch, noise: Noise, learning_rate: float | None = None) -> dict[str, Tensor]:
        """Follow the gradient of the losses named in ``noise``, each with its noise, on ``batch``; returns the losses."""
        rate = self.learning_rate() if learning_rate is None else learning_rate
        if self.config.compile and self._is_compiled(batch, noise):
            return self._compiled(tuple(noise))(batch, noise, rate)
        return self.apply((batch, noise), rate)

    def apply(self, drawn: tuple[Batch, Noise], rate: float | Tensor) -> dict[str, Tensor]:
        """As `update`, with what was drawn, and never compiled; a rate that is a tensor is read on the device."""
        return update(self._gradients, *drawn, self.adam, self.config, rate)

    def _is_compiled(self, batch: Batch, noise: Noise) -> bool:
        """Whether the compiled update is the faster one; measured at the first one of its kind, on copies of the state."""
        key = ", ".join(noise)
        if key not in self.compiled:
            self._gradients.hurry(batch, noise)
            self.choice = choose(
                lambda: update(self._gradients, batch, noise, self.adam, self.config, 0.0),
                lambda: self._compiled(tuple(noise))(batch, noise, 0.0),
                self._changed(),
            )
            self.compiled[key] = self.choice.compiled
        return self.compiled[key]

    def _changed(self) -> list[Tensor]:
        """All that an update writes to."""
        thetas = [self.networks.net(name).theta for name in self.networks.modules()]
        return [*thetas, *self.adam.arrays().values()]

    def precision_in_words(self) -> str:
        """What a reduced precision costs or saves on this processor, measured on copies of the state; empty elsewhere."""
        if self.config.precision == "highest" or self.device.type != "cpu":
            return ""
        before = self.generator.get_state()
        self._cache_samples()
        drawn = self.draw()
        self.generator.set_state(before)

        def way(config: FitConfig) -> Callable[[], dict[str, Tensor]]:
            own = Gradients(self.losses, self._scene, self.weights, repeats=True)
            own.hurry(*drawn)
            return lambda: update(own, *drawn, self.adam, config, 0.0)

        exact = self.config.model_copy(update={"precision": "highest"})
        return in_words(self.config.precision, *measure(way(self.config), way(exact), self._changed(), rounds=3))

    def _compiled(self, keys: tuple[str, ...]) -> CompiledUpdate:
        if keys not in self._compilations:
            losses = {key: self.losses[key] for key in keys}
            self._compilations[keys] = CompiledUpdate(
                self._scene, losses, self.adam, self.config.tau, self.config.max_gradient_norm
            )
        return self._compilations[keys]

    def parts(self) -> Parts:
        """A frozen copy of the networks as they are now."""
        parts = self.networks.parts(self.config, self.trained)
        return replace(parts, behaviour_states=self.data.sample_states(self.config.seed).to(self.device))

    def draw_cache(self) -> Tensor:
        """Reference samples (R, N, D) at every next observation, from a generator of their own.

        They depend on the frozen flow and the seed alone, so a resumed run draws the same ones again.
        """
        generator = torch.Generator(self.device).manual_seed(self.config.seed + 1)
        blocks = self.replay.following(CACHE_ROWS)
        return self.replay.beside(self._critic.samples(self.networks, rows, generator) for rows in blocks)
