"""FQL equals its own repository: all arrays but the critic's own update (none with LayerNorm after GELU trains here)."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from parity.published_nets import HERE, NETS, Agent, Net, arrays_of, close, read
from torch import Tensor

from workbench.engine.models.published import load_published
from workbench.engine.models.velocity import sample
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import decide
from workbench.engine.training.losses.flow_matching import flow_matching_loss
from workbench.engine.training.losses.td_actor import live_parts

NETS["fql"] = {"reference": Net("actor_bc_flow.mlp"), "one_step": Net("actor_onestep_flow.mlp")}
ALPHA = float(read("fql")["cfg.alpha"])


def fql(**settings: Any) -> Agent:
    """The agent, its critics as the import of published weights makes them: LayerNorm after the activation."""
    same = {"critic": "td_actor", "actor": "fql", "target_aggregate": "mean", "fql_alpha": ALPHA}
    a = Agent("fql", **(same | settings))
    parts = load_published(HERE / "fql_c1.npz", "fql")
    for name in ("critic", "target_critic"):
        setattr(a.networks, name, getattr(parts, name))
    a.trainer._gradients._repeats = False  # the critics are no networks of a training now
    return a


def start_and_time(a: Agent) -> tuple[Tensor, Tensor]:
    return a.tensor("in.bc_x0"), a.tensor("in.bc_t")[:, 0]


def x_t(a: Agent) -> Tensor:
    start, time = start_and_time(a)
    return torch.lerp(start, a.tensor("in.actions"), time[:, None])


def velocity() -> Tensor:
    a = fql()
    return a.networks.reference(a.tensor("in.observations"), x_t(a), start_and_time(a)[1])


def flow_actions(noise: str = "distill_noise") -> Tensor:
    a = fql()
    steps = a.trainer.config.flow_steps
    return sample(a.networks.reference, a.tensor("in.observations"), a.tensor(f"in.{noise}"), steps)


def jumped(noise: str = "distill_noise", at: str = "observations") -> Tensor:
    a = fql()
    with torch.no_grad():
        return a.networks.extra["one_step"](a.tensor(f"in.{at}"), a.tensor(f"in.{noise}"))


def acted() -> Tensor:
    a = fql()
    start = a.tensor("in.next_noise")[:, None]
    with torch.no_grad():
        noise = Noise(start, torch.full(start.shape[:2], 0.5))
        return decide(make_rule("fql"), live_parts(a.networks), a.tensor("in.next_observations"), noise)[0]


def q(which: str) -> Tensor:
    a = fql()
    critic = a.networks.critic if which == "online" else a.networks.target_critic
    return critic(a.tensor("in.observations"), a.tensor("in.actions"))


def critic_loss(how: str) -> Tensor:
    a = fql(target_aggregate=how)
    start = a.tensor("in.next_noise")[:, None]
    return a.loss("td_actor", batch_of(a), start, torch.full(start.shape[:2], 0.5))["critic"]


def batch_of(a: Agent) -> Any:
    return a.batch(valid=False)


def flow_loss() -> Tensor:
    a = fql()
    return flow_matching_loss(a.networks.reference, batch_of(a), *start_and_time(a))


def one_step(alpha: float, normalize: bool) -> Tensor:
    a = fql(fql_alpha=alpha, normalize_q=normalize)
    return a.loss("one_step", batch_of(a), a.tensor("in.distill_noise"))["one_step"]


def imitation() -> Tensor:
    return one_step(1.0, False) - one_step(0.0, False)


ARRAYS: dict[str, Callable[..., Tensor]] = {
    r"bc_xt": lambda: x_t(fql()),
    r"velocity": velocity,
    r"flow_actions": flow_actions,
    r"onestep_raw": jumped,
    r"next_actions": acted,
    r"q_(?P<which>online|target)": q,
    r"critic_loss_(?P<how>mean|min)": critic_loss,
    r"bc_flow_loss": flow_loss,
    r"distill_loss": imitation,
    r"q_loss(?P<normalized>_normalized)?": lambda normalized: one_step(0.0, normalized is not None),
    r"actor_loss(?P<normalized>_normalized)?": lambda normalized: flow_loss() + one_step(ALPHA, normalized is not None),
    r"mse": lambda: (jumped("mse_noise").clamp(-1, 1) - fql().tensor("in.actions")).square().mean(),
}
UPDATED = re.compile(r"upd1(_normalized)?\.(params\..+|grad_norm_sum)")


@pytest.mark.parametrize(
    "output", [k.removeprefix("out.") for k in read("fql") if k.startswith("out.") and not UPDATED.fullmatch(k[4:])]
)
def test_array(output: str) -> None:
    matches = [(compute, m) for pattern, compute in ARRAYS.items() if (m := re.fullmatch(pattern, output))]
    ((compute, match),) = matches  # every array is compared once
    close(compute(**match.groupdict()), torch.from_numpy(read("fql")[f"out.{output}"]))


@pytest.mark.parametrize("normalize", [False, True])
def test_one_official_update_of_both_actors(normalize: bool) -> None:
    a = fql(normalize_q=normalize)
    noise = {"flow_matching": start_and_time(a), "one_step": (a.tensor("in.distill_noise"),)}
    a.trainer.update(batch_of(a), noise)
    prefix, compared = f"out.upd1{'_normalized' if normalize else ''}.params.", 0
    for ours, net in NETS["fql"].items():
        theirs = arrays_of(a.z, prefix, net) or {}
        for key, array in theirs.items():
            close(a.networks.net(ours).arrays()[key], array, 3e-5)
            compared += 1
    assert compared == (6 if normalize else 12)
