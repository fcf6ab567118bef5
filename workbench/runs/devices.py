"""How large a training or an evaluation is, and on which device it is done: what ``--device auto`` asks."""

from __future__ import annotations

import itertools

import torch

from workbench.engine.devices import Choice, Work, choose, this_machine
from workbench.engine.metrics.evaluate import SHIFT_DRAWS, SHIFT_STATES
from workbench.engine.models.velocity import VelocityField
from workbench.engine.steering.protocol import AfterFlow, DuringFlow, Rule
from workbench.engine.tasks.three_exits import ThreeExits
from workbench.engine.training.config import FitConfig, make_config
from workbench.engine.training.loop.checkpoint import Run
from workbench.engine.training.losses.dqc import DQCSettings
from workbench.engine.training.losses.floq import FloqSettings
from workbench.engine.training.losses.td_actor import TDActorSettings, actor_rule
from workbench.engine.training.losses.td_vgf import TDVGFSettings
from workbench.engine.training.networks import time_input
from workbench.engine.training.plan import losses_of, plan
from workbench.engine.words import UserError, counted

# Tensor operations of one layer, forward alone, and forward and backward; and of what an update does besides (minibatch,
# noise, Adam, averages).
FORWARD = 4
TRAINED = 12
BESIDES = 60


def named_device(name: str) -> torch.device:
    """``cpu`` or ``cuda``; UserError when CUDA is asked for and missing."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "no CUDA device here (torch.cuda.is_available() is False); use --device cpu, or install torch for CUDA"
        )
    return torch.device(name)


def choose_device(name: str, work: Work) -> torch.device:
    """``auto``, ``cpu`` or ``cuda`` as a device; ``auto`` is decided by the size of ``work``. UserError as `named_device`."""
    return torch.device(decide(work).device) if name == "auto" else named_device(name)


def why_auto(name: str, work: Work) -> str:
    """What ``auto`` decided and why, in words; "" where nothing was decided: a device was named, or there is only one."""
    choice = decide(work)
    return f"device {choice.device}: {choice.why}" if name == "auto" and choice.cuda_seconds is not None else ""


def decide(work: Work) -> Choice:
    """On which of this machine's devices ``work`` is done, and why."""
    return choose(work, this_machine())


def training_work(config: FitConfig, observation_dim: int, action_dim: int) -> Work:
    """The size of a training, with D of one environment step."""
    s, d, layers = observation_dim, action_dim * config.chunk, len(config.hidden) + 1
    time = VelocityField.inputs(0, 0, time_input(config))
    flow, value = _weights(s + d + time, config.hidden, d), _weights(s, config.hidden, 1)
    critic = config.members * _weights(s + d, config.hidden, 1)
    if config.critic == "floq" and isinstance(config, FloqSettings):
        critic *= config.floq_steps * config.floq_starts  # its values are the ends of flows
    costs = [(0.0, BESIDES), (3.0 * flow, layers * TRAINED), (4.0 * critic, layers * (TRAINED + FORWARD))]
    if config.critic == "td_vgf" and isinstance(config, TDVGFSettings):
        ticks = config.flow_steps if config.reference == "joint" else 0
        rows, gradients = config.particles, config.transport_steps
        costs.append((rows * (ticks * flow + (2.0 * gradients + 1.0) * critic), layers * FORWARD * (ticks + 1)))
        costs.append((0.0, gradients * (layers * TRAINED + BESIDES)))
    elif config.critic == "td_actor" and isinstance(config, TDActorSettings):
        costs += [_acting(actor_rule(config), flow, critic, layers), (critic, layers * FORWARD)]
    else:
        costs.append((4.0 * value, layers * (TRAINED + FORWARD)))
    if config.critic == "dqc" and isinstance(config, DQCSettings):  # its teacher
        long = config.members * _weights(s + action_dim * config.dqc_chunk, config.hidden, 1)
        costs.append((3.0 * long, layers * TRAINED))
    parts = len(losses_of(config)) - 2
    costs.append((4.0 * parts * flow, parts * (layers * (TRAINED + FORWARD) + BESIDES // 2)))
    products, operations = (sum(column) for column in zip(*costs, strict=True))
    updates = sum(phase.steps for phase in plan(config))
    return Work(counted(updates, "update"), updates, int(operations), config.batch_size * products, not config.compile)


def usual_work() -> dict[str, Work]:
    """Sizes that people meet: what ``workbench doctor`` shows decisions for."""
    task = ThreeExits()
    lesson = make_config(**task.training_defaults())
    return {
        "fit three_exits": training_work(lesson, task.info.observation_dim, task.info.action_dim),
        "fit 128×2, 1,000,000 updates": training_work(make_config(hidden=(128, 128), steps=1_000_000), 4, 2),
        "fit 512×4, 100,000 updates": training_work(make_config(), 29, 8),
        "fit 1024×4, batch 1024, 100,000 updates": training_work(
            make_config(hidden=(1024,) * 4, batch_size=1024), 29, 8
        ),
    }


def acting_work(rule: Rule, run: Run, states: int, decisions: int, what: str) -> Work:
    """The size of ``decisions`` of a run's policy, each at ``states`` states."""
    flow, critic = (
        float(sum(a.numel() for key, a in run.arrays.items() if key.startswith(f"{part}.")))
        for part in ("reference", "critic")
    )
    products, operations = _acting(rule, flow, critic, len(run.config.hidden) + 1)
    return Work(what, decisions, operations + BESIDES, states * products)


def evaluation_work(rule: Rule, run: Run, episodes: int, horizon: int) -> Work:
    """The size of an evaluation: the behaviour policy's episodes and the rule's own."""
    return acting_work(rule, run, episodes, 2 * -(-horizon // run.config.chunk), counted(episodes, "episode"))


def offline_work(rule: Rule, run: Run) -> Work:
    """The size of what is measured without episodes: clouds of actions, of the rule and of the behaviour policy."""
    return acting_work(rule, run, SHIFT_STATES * SHIFT_DRAWS, 4, "what the data alone say")


def _acting(rule: Rule, flow: float, critic: float, layers: int) -> tuple[float, int]:
    """Multiply-adds for each state, and tensor operations, of one decision: the flow's steps, and the critic's gradients."""
    particles = rule.particles * max(1, rule.extra_draws())
    ticks = rule.flow_steps if isinstance(rule, AfterFlow) else rule.ticks()
    gradients = rule.steps if isinstance(rule, AfterFlow) else ticks if isinstance(rule, DuringFlow) else 0
    products = particles * (ticks * flow + 2.0 * gradients * critic)
    return products, ticks * (layers * FORWARD + 8) + gradients * (layers * TRAINED + 8)


def _weights(inputs: int, hidden: tuple[int, ...], outputs: int) -> float:
    return float(sum(a * b for a, b in itertools.pairwise((inputs, *hidden, outputs))))
