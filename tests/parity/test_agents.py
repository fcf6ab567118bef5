"""DSRL, FAWAC, FBRAC, DAC and QSM equal the published code: every array of the files, and one official update of each."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from parity.published_nets import NETS, Agent, arrays_of, close, read
from torch import Tensor

from workbench.engine.models.diffusion import betas, kept, noised, step_back
from workbench.engine.models.parts import q_gradient
from workbench.engine.models.velocity import sample
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import decide
from workbench.engine.training.fast.adam import Adam
from workbench.engine.training.losses.flow_matching import flow_errors, flow_matching_loss
from workbench.engine.training.losses.iql import critic_loss, td_target
from workbench.engine.training.losses.loss import weighted_mean
from workbench.engine.training.losses.td_actor import live_parts

PESSIMISTIC = {"critic": "td_actor", "target_aggregate": "mean"}


def of(name: str, **settings: Any) -> Agent:
    rho = {"target_pessimism": float(read(name)["cfg.rho"])} if name in ("dsrl", "fawac", "fbrac") else {}
    return Agent(name, **({**PESSIMISTIC, "actor": name} | rho | settings))


def start_and_time(a: Agent) -> tuple[Tensor, Tensor]:
    return a.tensor("in.bc_x0"), a.tensor("in.bc_t")[:, 0]


def velocity(a: Agent, part: str) -> Tensor:
    start, time = start_and_time(a)
    field = a.networks.modules()[part]
    return field(a.tensor("in.observations"), torch.lerp(start, a.tensor("in.actions"), time[:, None]), time)


def acted(a: Agent, rule: str, start: Tensor, **settings: Any) -> Tensor:
    """The action of a rule at the next observations, from noise (B, D) or (B, n, D)."""
    start = start[:, None] if start.dim() == 2 else start
    built = make_rule(rule, flow_steps=a.trainer.config.flow_steps, particles=start.shape[1], **settings)
    with torch.no_grad():
        noise = Noise(start, torch.full(start.shape[:2], 0.5))
        return decide(built, live_parts(a.networks), a.tensor("in.next_observations"), noise)[0]


def td(a: Agent, start: Tensor, valid: bool = True) -> Tensor:
    start = start[:, None] if start.dim() == 2 else start
    return a.loss("td_actor", a.batch(valid), start, torch.full(start.shape[:2], 0.5))["critic"]


def q(a: Agent, which: str) -> Tensor:
    critic = a.networks.critic if which == "online" else a.networks.target_critic
    return critic(a.tensor("in.observations"), a.tensor("in.actions"))


# --- DSRL ---------------------------------------------------------------------------------------------------------


def dsrl(**settings: Any) -> Agent:
    return of("dsrl", **settings)


def chosen(what: str) -> Tensor:
    a = dsrl()
    policy, s = a.networks.extra["noise_policy"], a.tensor("in.observations")
    mean, log_std = policy.moments(s)
    actions, log_prob = policy.draw(s, a.tensor("in.actor_eps"))
    return {"actor_mean": mean, "actor_std": log_std.exp(), "actor_actions": actions, "log_prob": log_prob}[what]


def decoded(which: str) -> Tensor:
    a = dsrl()
    flow = a.networks.extra["target_reference"] if which == "target" else a.networks.reference
    return sample(flow, a.tensor("in.observations"), a.tensor("in.distill_noise"), a.trainer.config.flow_steps)


def noise_losses(**settings: Any) -> dict[str, Tensor]:
    a = dsrl(dsrl_entropy=float(read("dsrl")["cfg.target_entropy"]) / 3, **settings)
    return a.loss("noise_policy", a.batch(False), a.tensor("in.distill_noise"), a.tensor("in.actor_eps"))


def dsrl_next(n: str, scale: str) -> Tensor:
    return acted(dsrl(dsrl_scale=float(scale)), "dsrl", dsrl().tensor(f"in.next_eps_bon{n}"))


def dsrl_critic(n: str, scale: str) -> Tensor:
    a = dsrl(dsrl_scale=float(scale), actor_settings={"particles": int(n)})
    return td(a, a.tensor(f"in.next_eps_bon{n}"), valid=False)


DSRL: dict[str, Callable[..., Tensor]] = {
    r"(?P<what>actor_mean|actor_std|actor_actions|log_prob)": chosen,
    r"alpha": lambda: dsrl().networks.extra["noise_temperature"](torch.zeros(1, 1)).exp().squeeze(),
    r"velocity": lambda: velocity(dsrl(), "reference"),
    r"velocity_target": lambda: velocity(dsrl(), "target_reference"),
    r"q_(?P<which>online|target)": lambda which: q(dsrl(), which),
    r"z_q": lambda: dsrl().networks.extra["noise_critic"](
        dsrl().tensor("in.observations"), dsrl().tensor("in.distill_noise")
    ),
    r"flow_actions_(?P<which>target|online)": decoded,
    r"next_actions_bon(?P<n>\d)_scale(?P<scale>[\d.]+)": dsrl_next,
    r"critic_loss_bon(?P<n>\d)_scale(?P<scale>[\d.]+)": dsrl_critic,
    r"distill_loss": lambda: noise_losses()["noise_critic"],
    r"flow_loss": lambda: flow_matching_loss(dsrl().networks.reference, dsrl().batch(False), *start_and_time(dsrl())),
    r"alpha_loss": lambda: noise_losses()["noise_temperature"],
    r"entropy": lambda: -chosen("log_prob").mean(),
    r"actor_loss_scale(?P<scale>[\d.]+)": lambda scale: noise_losses(dsrl_scale=float(scale))["noise_policy"],
}

# --- FAWAC and FBRAC ----------------------------------------------------------------------------------------------


def fawac(**settings: Any) -> Agent:
    return of("fawac", **settings)


def fawac_losses(inverse: str = "1.0") -> dict[str, Tensor]:
    a = fawac(fawac_inverse_temperature=float(inverse))
    return a.loss("fawac_flow", a.batch(), *start_and_time(a))


def fbrac(**settings: Any) -> Agent:
    return of("fbrac", fbrac_alpha=float(read("fbrac")["cfg.alpha"]), **settings)


def fbrac_loss(alpha: float | None = None) -> Tensor:
    a = fbrac() if alpha is None else of("fbrac", fbrac_alpha=alpha)
    return a.loss("fbrac_flow", a.batch(), *start_and_time(a), a.tensor("in.policy_noise"))["fbrac_flow"]


def fbrac_flow_loss() -> Tensor:
    a = fbrac()
    return weighted_mean(flow_errors(a.networks.extra["fbrac_flow"], a.batch(), *start_and_time(a)), a.batch().valid)


def policy_actions() -> Tensor:
    a = fbrac()
    noise = a.tensor("in.policy_noise")
    return sample(a.networks.extra["fbrac_flow"], a.tensor("in.observations"), noise, a.trainer.config.flow_steps)


FAWAC: dict[str, Callable[..., Tensor]] = {
    r"velocity": lambda: velocity(fawac(), "fawac_flow"),
    r"next_actions": lambda: acted(fawac(), "fawac", fawac().tensor("in.next_noise")),
    r"q_(?P<which>online|target)": lambda which: q(fawac(), which),
    r"v": lambda: fawac().networks.extra["fawac_value"](fawac().tensor("in.observations")),
    r"critic_loss_rho(?P<rho>[\d.]+)": lambda rho: td(
        fawac(target_pessimism=float(rho)), fawac().tensor("in.next_noise")
    ),
    r"value_loss": lambda: fawac_losses()["fawac_value"],
    r"actor_loss_invtemp(?P<inverse>[\d.]+)": lambda inverse: fawac_losses(inverse)["fawac_flow"],
}
FBRAC: dict[str, Callable[..., Tensor]] = {
    r"velocity": lambda: velocity(fbrac(), "fbrac_flow"),
    r"policy_actions": policy_actions,
    r"q_(?P<which>online|target)": lambda which: q(fbrac(), which),
    r"next_actions_bon(?P<n>\d)": lambda n: acted(fbrac(), "fbrac", fbrac().tensor(f"in.next_noise_bon{n}")),
    r"critic_loss_bon(?P<n>\d)": lambda n: td(
        fbrac(actor_settings={"particles": int(n)}), fbrac().tensor(f"in.next_noise_bon{n}")
    ),
    r"bc_flow_loss": fbrac_flow_loss,
    r"q_loss": lambda: fbrac_loss(1.0) - fbrac_flow_loss(),
    r"actor_loss": fbrac_loss,
}

# --- DAC and QSM --------------------------------------------------------------------------------------------------


def dac(**settings: Any) -> Agent:
    z = read("dac")
    return of(
        "dac",
        **({"critic": "iql", "parts": ("dac_actor",), "dac_alpha": float(z["cfg.alpha"])} | settings),
        expectile=float(z["cfg.expectile"]),
    )


def as_qsm(a: Agent) -> Agent:
    """The same weights under QSM's names, by which its loss asks for them."""
    for part in ("actor", "clock", "frequencies"):
        a.networks.extra[f"qsm_{part}"] = a.networks.extra[f"dac_{part}"]
    return a


def noised_actions(a: Agent) -> Tensor:
    signal = torch.tensor(kept("vp", 10)[1])[a.tensor("in.t").long()][:, None]
    return noised(a.tensor("in.actions"), a.tensor("in.noise"), signal)


def estimate(a: Agent, s: Tensor, x: Tensor, t: Tensor) -> Tensor:
    extra = a.networks.extra
    return extra["dac_actor"](s, x, extra["dac_clock"](extra["dac_frequencies"](t[:, None] / 10)))


def sampled(before: str, after: str) -> Tensor:
    """The published chain, of which nothing clips the end."""
    a = dac()
    alpha, signal = kept("vp", 10)
    s, x, noise = a.tensor("in.next_observations"), a.tensor("in.next_noise"), a.tensor("in.step_noise")
    with torch.no_grad():
        for t in range(10, 0, -1):
            seen = estimate(a, s, x, torch.full((len(x),), float(t)))
            levels, clip = (signal[t], signal[t - 1]), (before == "1", after == "1")
            x = step_back(x, seen, None if t == 1 else noise[10 - t], alpha[t], levels, clip)
    return x


def dac_critic(before: str, after: str) -> Tensor:
    a, batch = dac(), dac().batch()
    value = a.networks.target_critic(batch.next_observations, sampled(before, after)).mean(0)
    assert float(a.z["cfg.rho"]) in (0.0, 0.5)
    deviations = a.networks.target_critic(batch.next_observations, sampled(before, after)).std(0, correction=0)
    target = td_target(batch, value - float(a.z["cfg.rho"]) * deviations)
    return critic_loss(q(a, "online"), target, batch.valid)


def leaning(kind: str, which: str) -> Tensor:
    settings: dict[str, Any] = {"diffusion_critic": which, "dac_alpha": 0.0, "qsm_alpha": 0.0}
    settings["qsm_inverse_temperature"] = float(read("dac")["cfg.inv_temp"])
    a = as_qsm(dac(parts=("dac_actor", "qsm_actor"), **settings))
    part = f"{kind}_actor"
    return a.loss(part, a.batch(), a.tensor("in.t").long(), a.tensor("in.noise"))[part]


def imitating() -> Tensor:
    one, none = (
        a.loss("dac_actor", a.batch(), a.tensor("in.t").long(), a.tensor("in.noise"))["dac_actor"]
        for a in (dac(dac_alpha=1.0), dac(dac_alpha=0.0))
    )
    return one - none


def iql_losses(what: str) -> Tensor:
    a = dac()
    return a.loss("iql", a.batch())[what]


def schedule(name: str) -> Tensor:
    found = torch.tensor(betas(name, 10))  # type: ignore[arg-type]
    return torch.cat((torch.zeros(1), found)) if name == "vp" else found


DAC: dict[str, Callable[..., Tensor]] = {
    r"betas_(?P<name>vp|linear|cosine)": schedule,
    r"alphas_vp": lambda: torch.tensor(kept("vp", 10)[0]),
    r"alpha_hats_vp": lambda: torch.tensor(kept("vp", 10)[1]),
    r"noisy_actions": lambda: noised_actions(dac()),
    r"eps_pred": lambda: estimate(
        dac(), dac().tensor("in.observations"), noised_actions(dac()), dac().tensor("in.t").float()
    ),
    r"q_(?P<which>online|target)": lambda which: q(dac(), which),
    r"v": lambda: dac().networks.value(dac().tensor("in.observations")),
    r"dqda_target_noisy": lambda: q_gradient(
        dac().networks.target_critic, dac().tensor("in.observations"), noised_actions(dac()), "mean"
    )[1],
    r"next_actions_before(?P<before>\d)_after(?P<after>\d)": sampled,
    r"critic_loss_ddpg_before(?P<before>\d)_after(?P<after>\d)": dac_critic,
    r"critic_loss_iql": lambda: iql_losses("critic"),
    r"value_loss": lambda: iql_losses("value"),
    r"bc_loss": imitating,
    r"actor_loss_(?P<kind>dac|qsm)_(?P<which>target|online)": leaning,
}

COMPUTE = {"dsrl": DSRL, "fawac": FAWAC, "fbrac": FBRAC, "dac": DAC}
UPDATED = re.compile(r"upd1(_\w+)?\.(params\..+|grad_norm_sum)")


def outputs(name: str) -> list[str]:
    return [key.removeprefix("out.") for key in read(name) if key.startswith("out.")]


@pytest.mark.parametrize(
    ("agent", "output"), [(agent, name) for agent in COMPUTE for name in outputs(agent) if not UPDATED.fullmatch(name)]
)
def test_array(agent: str, output: str) -> None:
    matches = [(compute, m) for pattern, compute in COMPUTE[agent].items() if (m := re.fullmatch(pattern, output))]
    ((compute, match),) = matches  # every array is compared once
    theirs = torch.from_numpy(read(agent)[f"out.{output}"])
    close(compute(**match.groupdict()), theirs)


# --- an official update -------------------------------------------------------------------------------------------


def dsrl_update() -> tuple[Agent, dict[str, tuple[Tensor, ...]], bool]:
    a = dsrl(dsrl_entropy=float(read("dsrl")["cfg.target_entropy"]) / 3)
    start = a.tensor("in.next_eps_bon1")
    start = start[:, None] if start.dim() == 2 else start
    return (
        a,
        {
            "flow_matching": start_and_time(a),
            "td_actor": (start, torch.full(start.shape[:2], 0.5)),
            "noise_policy": (a.tensor("in.distill_noise"), a.tensor("in.actor_eps")),
        },
        False,
    )


def fawac_update() -> tuple[Agent, dict[str, tuple[Tensor, ...]], bool]:
    a = fawac(fawac_inverse_temperature=float(read("fawac")["cfg.inv_temp"]))
    start = a.tensor("in.next_noise")[:, None]
    return a, {"td_actor": (start, torch.full(start.shape[:2], 0.5)), "fawac_flow": start_and_time(a)}, True


def fbrac_update() -> tuple[Agent, dict[str, tuple[Tensor, ...]], bool]:
    a = fbrac()
    start = a.tensor("in.next_noise_bon1")
    start = start[:, None] if start.dim() == 2 else start
    noise = (*start_and_time(a), a.tensor("in.policy_noise"))
    return a, {"td_actor": (start, torch.full(start.shape[:2], 0.5)), "fbrac_flow": noise}, True


UPDATES = {"dsrl": dsrl_update, "fawac": fawac_update, "fbrac": fbrac_update}


def dac_update() -> tuple[Agent, dict[str, tuple[Tensor, ...]], bool]:
    a = dac(max_gradient_norm=float(read("dac")["cfg.clip_grad_norm"]))
    return a, {"iql": (), "dac_actor": (a.tensor("in.t").long(), a.tensor("in.noise"))}, True


UPDATES["dac"] = dac_update


@pytest.mark.parametrize("agent", UPDATES)
def test_one_official_update(agent: str) -> None:
    a, noise, valid = UPDATES[agent]()
    norms = a.gradient_norms()
    a.trainer.update(a.batch(valid), noise)
    total = torch.tensor(sum(norm for name in NETS[agent] for norm in norms.get(name, {}).values()))
    close(total, torch.from_numpy(a.z["out.upd1.grad_norm_sum"]), 3e-5)
    compared = 0
    for ours, net in NETS[agent].items():
        theirs = arrays_of(a.z, "out.upd1.params.", net)
        assert theirs is not None
        for key, array in theirs.items():
            if array.numel():
                close(a.networks.net(ours).arrays()[key], array, 3e-5)
                compared += array.numel()
    assert compared == sum(a.z[key].size for key in a.z if key.startswith("out.upd1.params."))


def test_one_official_update_of_qsm() -> None:
    z = read("dac")
    settings = {"qsm_alpha": float(z["cfg.alpha"]), "qsm_inverse_temperature": float(z["cfg.inv_temp"])}
    a = as_qsm(dac(parts=("dac_actor", "qsm_actor"), max_gradient_norm=float(z["cfg.clip_grad_norm"]), **settings))
    a.trainer.weights = {n: a.networks.net(n).theta for n in a.trainer.weights if not n.startswith("dac_")}
    a.trainer.adam = Adam(a.trainer.weights)
    a.trainer.update(a.batch(), {"iql": (), "qsm_actor": (a.tensor("in.t").long(), a.tensor("in.noise"))})
    for part in ("actor", "clock", "frequencies"):
        theirs = arrays_of(a.z, "out.upd1_qsm.params.", NETS["dac"][f"dac_{part}"])
        assert theirs is not None
        for key, array in theirs.items():
            if array.numel():
                close(a.networks.net(f"qsm_{part}").arrays()[key], array, 3e-5)
