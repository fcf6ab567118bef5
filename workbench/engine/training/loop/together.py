"""Several runs that differ in their seed and data alone, trained in one vectorised computation.

On small networks the cost of an update is the number of calls, which is the same for five seeds as for one. Each seed
draws its own minibatches and noise from its own generators and ends with the weights of its solo run, up to float
rounding (1e-5 over a hundred updates; a test runs every loss of the registries both ways).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from workbench.engine.cuda import recorder_for
from workbench.engine.data.transitions import Batch
from workbench.engine.precision import SMALL, few_threads, products
from workbench.engine.training.config import FitConfig
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.fast.gradients import Noise
from workbench.engine.training.fast.graphs import Launches
from workbench.engine.training.fast.recording import record
from workbench.engine.training.fast.stacked import StackedMlp, by_seed, join, part
from workbench.engine.training.loop.fit import Progress, fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.loop.update import descend
from workbench.engine.training.losses.loss import Scene
from workbench.engine.training.plan import Phase
from workbench.engine.words import UserError

Draws = tuple[dict[str, Tensor], Noise]  # with a leading axis E
Update = Callable[[dict[str, Tensor], Noise], tuple[dict[str, Tensor], dict[str, Tensor]]]


class CannotTrainTogether(UserError):
    """These runs cannot be trained as one; the message says why."""


def pays_together(config: FitConfig) -> bool:
    """Whether several seeds at once are faster than one after the other: where networks are small and not compiled."""
    return not config.compile and config.encoder == "none" and config.batch_size * max(config.hidden) ** 2 < SMALL


class TrainerGroup:
    """The runs of several seeds as one; like a `Trainer` it has ``step``, ``phase`` and ``finished``.

    The trainers' own networks stay behind until `hand_back` brings them up to date.

    Parameters
    ----------
    trainers : sequence of Trainer
        All at the same update, with the same settings but for the seed. Their data may differ, in size too.

    Raises
    ------
    CannotTrainTogether
        No trainers, or they differ in more than seed and data.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        _check_alike(trainers)
        self.trainers = list(trainers)
        self._first = trainers[0]
        self._networks = copy.deepcopy(self._first.networks)
        for name, module in self._networks.modules().items():
            module.net = StackedMlp([trainer.networks.net(name) for trainer in trainers])
        self.nets = {name: self._stack(name) for name in self._networks.modules()}
        self.weights = {name: self.nets[name].theta for name in self._first.weights}
        self.adam = Adam(self.weights)
        for held, of_trainer in ((self.adam.first, "first"), (self.adam.second, "second")):
            for name, moments in held.items():
                join(moments, [getattr(t.adam, of_trainer)[name] for t in trainers], self.nets[name].shape)
        for name, count in self.adam.count.items():
            count.copy_(self._first.adam.count[name])
        self._scene = Scene(self._networks)
        self._offsets = torch.zeros(len(trainers), dtype=torch.long, device=self._first.device)
        self._updates: dict[Phase, Update] = {}
        self.losses: dict[str, Tensor] = {}  # of the latest update, (E,) each
        recorder = recorder_for(self.device)
        self.launches = None if recorder is None else Launches(self, recorder)

    def _stack(self, name: str) -> StackedMlp:
        net = self._networks.net(name)
        assert isinstance(net, StackedMlp)
        return net

    @property
    def step_number(self) -> int:
        """Updates done, the same of every seed."""
        return self._first.step_number

    @step_number.setter
    def step_number(self, number: int) -> None:
        for trainer in self.trainers:
            trainer.step_number = number

    @property
    def device(self) -> torch.device:
        """Where all seeds are trained."""
        return self._first.device

    @property
    def generators(self) -> list[torch.Generator]:
        """One of each seed."""
        return [trainer.generator for trainer in self.trainers]

    @property
    def draws_by_itself(self) -> bool:
        """Whether every seed's trainer does."""
        return all(trainer.draws_by_itself for trainer in self.trainers)

    def bound_to(self) -> Hashable:
        """What each trainer's recordings hold for, and where the caches of reference samples lie."""
        cache = self._scene.cache
        return *(trainer.bound_to() for trainer in self.trainers), None if cache is None else cache.data_ptr()

    def left(self) -> int:
        """Updates until the phase ends."""
        return self._first.left()

    def learning_rate(self, ahead: int = 0) -> float:
        """Learning rate of the update after ``ahead`` more."""
        return self._first.learning_rate(ahead)

    @property
    def total_steps(self) -> int:
        """Updates in all, of every seed."""
        return self._first.total_steps

    @property
    def finished(self) -> bool:
        """All updates are done."""
        return self._first.finished

    def phase(self) -> tuple[Phase, int]:
        """The current phase and the updates already done in it."""
        return self._first.phase()

    def step(self, most: int = 1) -> dict[str, Tensor]:
        """Do the next update of every seed; returns the losses, each (E,), still on the device.

        On a GPU several updates, of ``most`` at most, may be launched at once.

        Raises
        ------
        CannotTrainTogether
            A loss does what cannot be vectorised. The trainers are as before this step once they are handed back.
        """
        phase, _ = self.phase()
        if phase.cached and self._scene.cache is None:
            self._draw_caches()
        if phase not in self._updates:
            self._record(phase)
        if self.launches is not None:
            losses = self.launches.step(most)
            if losses is not None:
                self.losses = losses
                return losses
            self.launches = None
        self.losses = self.apply(self.draw(), self.learning_rate())
        self.step_number += 1
        return self.losses

    def draw(self, *, ahead: int = 0) -> Draws:
        """Minibatches and noise of all seeds, of the update after ``ahead`` more."""
        return _stack_draws([trainer.draw(ahead=ahead) for trainer in self.trainers], self._offsets)

    def apply(self, drawn: Draws, rate: float | Tensor) -> dict[str, Tensor]:
        """One update of every seed with what was drawn."""
        phase, _ = self.phase()
        config = self._first.config
        size = config.batch_size, max(config.hidden), self.device
        with few_threads(*size), products(config.precision, self.device):
            return self._apply(phase, *self._updates[phase](*drawn), rate)

    def _record(self, phase: Phase) -> None:
        """Trace the phase's update, on draws that are given back afterwards."""
        states = [trainer.generator.get_state() for trainer in self.trainers]
        config = self._first.config
        size = config.batch_size, max(config.hidden), self.device
        try:
            with few_threads(*size), products(config.precision, self.device):
                self._updates[phase] = record(lambda b, n: self._gradients(phase, b, n), *self.draw())
        except (RuntimeError, NotImplementedError) as error:
            raise CannotTrainTogether(
                f"the losses {', '.join(phase.losses)} cannot be trained for several seeds at once, so train the "
                f"seeds one by one ({str(error).strip().splitlines()[0]})"
            ) from error
        finally:
            for trainer, state in zip(self.trainers, states, strict=True):
                trainer.generator.set_state(state)

    def hand_back(self) -> list[Trainer]:
        """Bring every seed's trainer up to date: from here on it is as if it had been trained alone."""
        for name, net in self.nets.items():
            part(net.theta.detach(), [t.networks.net(name).theta for t in self.trainers], net.shape)
        for name in self.weights:
            shape = self.nets[name].shape
            part(self.adam.first[name], [t.adam.first[name] for t in self.trainers], shape)
            part(self.adam.second[name], [t.adam.second[name] for t in self.trainers], shape)
            for trainer in self.trainers:
                trainer.adam.count[name].copy_(self.adam.count[name])
        return self.trainers

    def _gradients(self, phase: Phase, batch: dict[str, Tensor], noise: Noise) -> tuple[dict[str, Tensor], Any]:
        """Each seed's losses, (E,) each, and the gradient of their sum in the stacked weights that the phase trains."""
        arrays = {name: net.seed_arrays() for name, net in self.nets.items()}
        losses = torch.func.vmap(lambda a, b, n: self._of_one_seed(phase, a, b, n))(arrays, batch, noise)
        names = list(dict.fromkeys(name for key in phase.losses for name in self._first.losses[key].trains))
        total = torch.stack(list(losses.values())).sum()
        grads = torch.autograd.grad(total, [self.weights[name] for name in names])
        return {name: loss.detach() for name, loss in losses.items()}, dict(zip(names, grads, strict=True))

    def _of_one_seed(
        self, phase: Phase, arrays: dict[str, dict[str, Tensor]], batch: dict[str, Tensor], noise: Noise
    ) -> dict[str, Tensor]:
        """What `vmap` sees: the losses of one run."""
        for name, net in self.nets.items():
            net.inside = arrays[name]
        losses: dict[str, Tensor] = {}
        for key in phase.losses:
            losses |= self._first.losses[key](self._scene, Batch(**batch), noise[key])
        return losses

    @torch.no_grad()
    def _apply(
        self, phase: Phase, losses: dict[str, Tensor], grads: dict[str, Tensor], rate: float | Tensor
    ) -> dict[str, Tensor]:
        """Move the stacked targets and weights."""
        first = self._first
        if first.config.max_gradient_norm > 0.0:
            self._shorten(grads, first.config.max_gradient_norm)
        for name, grad in grads.items():
            self.weights[name].grad = grad
        descend([first.losses[key] for key in phase.losses], self._networks, self.adam, first.config.tau, rate)
        return losses

    def _shorten(self, grads: dict[str, Tensor], limit: float) -> None:
        """Shorten each seed's own gradients in place, so that all of its networks together have at most the norm ``limit``."""
        seeds = len(self.trainers)
        arrays = [a for name, grad in grads.items() for a in by_seed(grad, self.nets[name].shape, seeds).values()]
        norm = torch.stack([array.square().sum((1, 2, 3)) for array in arrays]).sum(0).sqrt()
        factor = (limit / norm).clamp_max(1.0)[:, None, None, None]
        for array in arrays:
            array.mul_(factor)

    def _draw_caches(self) -> None:
        """Each seed's samples of its own frozen flow, one after the other in one array that ``rows`` point into."""
        caches = [trainer.draw_cache() for trainer in self.hand_back()]
        sizes = [len(cache) for cache in caches]
        self._offsets = torch.tensor([0, *sizes[:-1]], device=self.device).cumsum(0)
        self._scene.cache = torch.cat(caches)


def fit_together(
    trainers: Sequence[Trainer],
    *,
    save: Callable[[Trainer], None] | None = None,
    save_every: int = 1000,
    report_every: int = 100,
    should_stop: Callable[[], bool] | None = None,
    tell: Callable[[Trainer, Progress], None] | None = None,
) -> Iterator[Progress]:
    """Train all ``trainers`` at once until done, yielding progress; losses are the means over the seeds.

    Whenever ``save`` is called, and when the loop ends, is stopped or is closed, every trainer is as if trained alone.

    Parameters
    ----------
    trainers : sequence of Trainer
        As for `TrainerGroup`.
    save, save_every, report_every, should_stop
        As for `workbench.engine.training.loop.fit.fit`; ``save`` is called with each trainer.
    tell : callable, optional
        Called as ``tell(trainer, report)``: for every report and each trainer, with that trainer's own losses.

    Warns
    -----
    UserWarning
        A loss cannot be vectorised: the seeds are then trained one after the other, and progress counts the updates of all.

    Raises
    ------
    CannotTrainTogether
        The trainers differ in more than seed and data.
    FloatingPointError
        A loss or a weight of one of the seeds is no longer finite.
    """
    group = TrainerGroup(trainers)

    def save_each(_: TrainerGroup) -> None:
        assert save is not None
        for trainer in group.hand_back():
            save(trainer)

    try:
        reports = fit(
            group,
            save=None if save is None else save_each,
            save_every=save_every,
            report_every=report_every,
            should_stop=should_stop,
        )
        for report in reports:
            if tell is not None and not report.stopped:
                for number, trainer in enumerate(trainers):
                    own = {name: float(loss[number]) for name, loss in group.losses.items()}
                    tell(trainer, replace(report, losses=own))
            yield report
        return
    except CannotTrainTogether as error:
        warnings.warn(str(error), stacklevel=2)
    finally:
        group.hand_back()
    yield from _one_by_one(trainers, save, save_every, report_every, should_stop, tell)


def _one_by_one(
    trainers: Sequence[Trainer],
    save: Callable[[Trainer], None] | None,
    save_every: int,
    report_every: int,
    should_stop: Callable[[], bool] | None,
    tell: Callable[[Trainer, Progress], None] | None,
) -> Iterator[Progress]:
    total = sum(trainer.total_steps for trainer in trainers)
    for trainer in trainers:
        others = sum(other.step_number for other in trainers if other is not trainer)
        reports = fit(trainer, save=save, save_every=save_every, report_every=report_every, should_stop=should_stop)
        for report in reports:
            if tell is not None and not report.stopped:
                tell(trainer, report)
            done = others + report.step
            eta = (total - done) / max(report.steps_per_second, 1e-9)
            words = f"{report.phase}, seed {trainer.config.seed}"
            yield Progress(done, total, words, report.losses, report.steps_per_second, eta, report.stopped)
            if report.stopped:
                return


def _check_alike(trainers: Sequence[Trainer]) -> None:
    if not trainers:
        raise CannotTrainTogether("there is no run to train; give at least one trainer")
    first = trainers[0]
    if first.config.encoder != "none":
        raise CannotTrainTogether("networks that see pictures are trained one seed at a time; train them apart")
    if len({id(trainer) for trainer in trainers}) < len(trainers):
        raise CannotTrainTogether("the same trainer is there twice; give each seed a trainer of its own")
    for trainer in trainers[1:]:
        for name, value in trainer.config.model_dump(exclude={"seed"}).items():
            if value != getattr(first.config, name):
                raise CannotTrainTogether(
                    f"runs that train together differ in seed and data alone, these have {name} = "
                    f"{getattr(first.config, name)} and {value}; train them apart"
                )
        for what, mine, theirs in (
            ("updates done", first.step_number, trainer.step_number),
            ("the device", first.device, trainer.device),
            ("observation dimensions", first.data.observation_dim, trainer.data.observation_dim),
            ("action dimensions", first.data.action_dim, trainer.data.action_dim),
        ):
            if mine != theirs:
                raise CannotTrainTogether(
                    f"runs that train together agree in {what}, these have {mine} and {theirs}; train them apart"
                )


def _stack_draws(draws: Sequence[tuple[Batch, Noise]], offsets: Tensor) -> Draws:
    """Minibatches and noise of the seeds with a leading axis E; ``rows`` point into the caches of all of them."""
    batches = [batch for batch, _ in draws]
    batch = {
        name: torch.stack([getattr(b, name) for b in batches])
        for name in Batch._fields
        if getattr(batches[0], name) is not None
    }
    batch["rows"] = batch["rows"] + offsets[:, None]
    noises = [noise for _, noise in draws]
    noise = {
        key: tuple(torch.stack(arrays) for arrays in zip(*(n[key] for n in noises), strict=True)) for key in noises[0]
    }
    return batch, noise
