"""TD with a rule's own actions: the target restated, the parts trained along, every critic with every rule."""

from typing import Any

import pytest
import torch
from engine.small_runs import small_config, small_data, small_trainer

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act, steer
from workbench.engine.tasks.bandits import Bandit2D
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer
from workbench.engine.training.losses import CRITICS, LEARNED_PARTS
from workbench.engine.training.losses.residual import residual_loss
from workbench.engine.training.losses.td_actor import live_parts
from workbench.engine.training.plan import plan, trained_parts

ACTORS: dict[str, dict[str, Any]] = {
    "fql": {},
    "rebrac": {"target_noise": 0.3, "critic_penalty": 0.7},
    "qgf": {"actor_settings": {"weight": 3.0}},
    "best_of_n": {"actor_settings": {"particles": 3}},
    "iql": {"actor_settings": {"sample": True}},
}


def prepared(**settings: Any) -> Trainer:
    trainer = small_trainer(**{"critic": "td_actor", "flow_steps": 2, "learning_rate": 1e-2, "tau": 0.2} | settings)
    for _ in range(3):
        trainer.step()
    return trainer


@pytest.mark.parametrize("aggregate", ["min", "mean"])
@pytest.mark.parametrize("actor", ACTORS)
def test_the_target_restated(actor: str, aggregate: str) -> None:
    """The rule is asked through `act`, from outside, on parts put together by hand."""
    trainer = prepared(actor=actor, target_aggregate=aggregate, **ACTORS[actor])
    nets, loss = trainer.networks, trainer.losses["td_actor"]
    batch, noise = trainer.draw()
    drawn = noise["td_actor"]
    penalty = ACTORS[actor].get("critic_penalty")
    rule = make_rule(actor, flow_steps=2, **ACTORS[actor].get("actor_settings", {}))
    parts = trainer.parts()
    parts = live_parts(nets) if actor == "rebrac" else parts
    raw = batch.next_observations if actor == "rebrac" else batch.next_observations * nets.std + nets.mean
    actions = act(rule, parts, raw, Noise(*drawn[:2]))
    if "target_noise" in ACTORS[actor]:
        actions = (actions + 0.3 * drawn[2].clamp(-2.5, 2.5)).clamp(-1, 1)
    q = nets.target_critic(batch.next_observations, actions)
    q = (torch.minimum(q[0], q[1]) if aggregate == "min" else (q[0] + q[1]) / 2).detach()
    if penalty:
        for row in range(16):  # the data's next action, where the episode goes on
            number = int(batch.rows[row])
            if not trainer.data.ends[number]:
                after = torch.from_numpy(trainer.data.actions[number + 1])
                q[row] -= penalty * ((actions[row] - after) ** 2).sum()
    y = (batch.rewards + batch.discounts * q).detach()
    restated = ((y - nets.critic(batch.observations, batch.actions)) ** 2).sum() / 32
    (value,) = loss(trainer._scene, batch, drawn).values()
    theta = nets.net("critic").theta
    torch.testing.assert_close(value, restated, rtol=1e-4, atol=1e-5)
    ours, theirs = (torch.autograd.grad(of, theta)[0] for of in (value, restated))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


def test_pessimism_is_mean_less_deviations_of_the_members() -> None:
    trainer = prepared(actor="fql", members=5, target_aggregate="mean", target_pessimism=0.5)
    nets, loss = trainer.networks, trainer.losses["td_actor"]
    batch, noise = trainer.draw()
    actions = act(make_rule("fql", flow_steps=2), live_parts(nets), batch.next_observations, Noise(*noise["td_actor"]))
    q = nets.target_critic(batch.next_observations, actions).detach().numpy()
    backed_up = torch.from_numpy(q.mean(0) - 0.5 * q.std(0))
    y = batch.rewards + batch.discounts * backed_up
    (value,) = loss(trainer._scene, batch, noise["td_actor"]).values()
    restated = ((y - nets.critic(batch.observations, batch.actions)) ** 2).mean()
    torch.testing.assert_close(value, restated, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("critic", ["td_vgf", "td_actor"])
def test_pessimism_reaches_both_critics(critic: str) -> None:
    settings = {"critic": critic, "reference": "joint", "particles": 2, "flow_steps": 2, "target_aggregate": "mean"}
    plain, careful = (small_trainer(**settings, target_pessimism=rho) for rho in (0.0, 2.0))
    for trainer in (plain, careful):
        trainer.step(), trainer.step()
    assert not torch.equal(plain.networks.net("critic").theta, careful.networks.net("critic").theta)


def test_the_ema_of_a_policy_stands_in_for_it() -> None:
    nets = prepared(actor="rebrac").networks
    slow, fast = nets.extra["target_rebrac_actor"], nets.extra["rebrac_actor"]
    assert not torch.equal(slow.net.theta, fast.net.theta)
    assert live_parts(nets).extra == {"rebrac_actor": slow}
    nets = prepared(actor="fql").networks
    assert live_parts(nets).extra == {"one_step": nets.extra["one_step"]}


def test_what_the_actor_needs_is_trained_without_asking() -> None:
    assert "one_step" in trained_parts(make_config(critic="td_actor"))
    assert set(trained_parts(make_config(critic="td_actor", actor="rebrac"))) >= {"rebrac_actor", "target_rebrac_actor"}
    assert set(trained_parts(make_config(critic="td_actor", actor="qgf"))) == {"reference", "critic", "target_critic"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"actor": "fqll"}, "no rule named 'fqll'; did you mean 'fql'"),
        (
            {"actor": "qgf", "actor_settings": {"wieght": 1}},
            "rule 'qgf' has no setting 'wieght'; did you mean 'weight'",
        ),
        ({"actor": "qgf", "actor_settings": {"weight": -1}}, "setting 'weight' of rule 'qgf'.*allowed: 0 to 10000"),
        (
            {"critic_penalty": 1.0, "chunk": 2},
            "next actions are not kept with action chunks; use chunk=1, or critic_penalty=0",
        ),
        (
            {"target_pessimism": 0.5},
            "target_pessimism = 0.5 is taken off the critics. mean, and target_aggregate is min; set target_aggregate=mean",
        ),
        ({"critic": "iql", "parts": ("one_stepp",)}, "no learned part named 'one_stepp'; did you mean 'one_step'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small_trainer(**{"critic": "td_actor"} | settings)


@pytest.mark.parametrize("critic", CRITICS)
def test_a_part_that_reads_the_state_value_gets_one(critic: str) -> None:
    config = make_config(critic=critic, parts=("awr_actor",), actor="qgf")
    losses = [key for phase in plan(config) for key in phase.losses]
    assert ("state_value" in losses) == ("value" not in CRITICS[critic].trains)
    assert "value" in trained_parts(config)


def test_td_losses_by_the_sign_of_the_residual() -> None:
    q, y = torch.tensor([[0.0, 3.0], [1.0, 1.0]]), torch.tensor([1.0, 1.0])  # u = 1, -2; 0, 0
    for way, expected in (
        ({}, (1 + 4) / 4),
        ({"td_loss": "expectile", "expectile": 0.7}, (0.7 + 0.3 * 4) / 4),
        ({"td_loss": "sql", "sql_alpha": 0.5}, (0.5 * 4 - 1 + 0.5 * 0 + 2 + 0.5 + 0.5) / 4),
    ):
        assert float(residual_loss(q, y, make_config(**way), None)) == pytest.approx(expected)
        half = residual_loss(q, y, make_config(**way), torch.tensor([1.0, 0.0]))
        assert half < residual_loss(q, y, make_config(**way), None)


@pytest.mark.parametrize(("name", "ours"), [("td", "square"), ("iql-q", "expectile"), ("sql-q", "sql")])
def test_td_losses_by_the_names_of_the_published_code(name: str, ours: str) -> None:
    assert make_config(td_loss=name) == make_config(td_loss=ours)
    with pytest.raises(ValueError, match="'td_loss': must be 'square', 'expectile' or 'sql', got 'iql_q'"):
        make_config(td_loss="iql_q")


def test_iql_s_critics_are_averaged_or_added() -> None:
    mean, total = (small_trainer(members=3, critic_sum=way).step() for way in (False, True))
    assert set(total) == {"flow", "critic_sum", "value"}
    torch.testing.assert_close(total["critic_sum"], 3 * mean["critic"])


@pytest.mark.parametrize("td_loss", ["expectile", "sql"])
@pytest.mark.parametrize("critic", ["td_vgf", "td_actor"])
def test_td_losses_reach_both_critics(critic: str, td_loss: str) -> None:
    settings = {"critic": critic, "reference": "joint", "particles": 2, "flow_steps": 2, "steps": 2}
    plain, weighted = (small_trainer(**settings, **way) for way in ({}, {"td_loss": td_loss}))
    for trainer in (plain, weighted):
        for _ in fit(trainer):
            pass
    assert not torch.equal(plain.networks.net("critic").theta, weighted.networks.net("critic").theta)


# --- every critic with every rule -------------------------------------------------------------------------------

SMALL = {"hidden": (8, 8), "steps": 2, "batch_size": 8, "particles": 2, "flow_steps": 2, "reference_steps": 2}


@pytest.fixture(scope="module")
def bandit() -> Bandit2D:
    return Bandit2D()


@pytest.mark.parametrize("critic", CRITICS)
def test_any_critic_serves_any_rule(critic: str, bandit: Bandit2D) -> None:
    """Fit with every part, then steer and evaluate by every rule."""
    config = make_config(**SMALL, critic=critic, parts=tuple(LEARNED_PARTS), floq_steps=2, floq_starts=2)
    trainer = Trainer(bandit.generate(64, 0), config)
    for _ in fit(trainer):
        pass
    parts = trainer.parts()
    for name in RULES:
        rule = make_rule(name, flow_steps=2)
        noise = draw_noise(3, 2, 2, torch.Generator().manual_seed(0), rule.extra_draws())
        trace = steer(rule, parts, torch.zeros(3, 1), noise)
        assert torch.isfinite(trace.positions).all(), name
        result = evaluate(rule, parts, bandit, 3, 0)
        assert -1.5 < result.returns.mean < 1.5, name


@pytest.mark.parametrize("actor", RULES)
def test_any_rule_can_be_the_actor(actor: str) -> None:
    trainer = Trainer(small_data(), small_config(critic="td_actor", actor=actor, flow_steps=2, steps=2))
    before = trainer.networks.net("critic").theta.clone()
    for _ in fit(trainer):
        pass
    assert not torch.equal(before, trainer.networks.net("critic").theta)
    assert all(torch.isfinite(theta).all() for theta in trainer.weights.values())
    rule = make_rule(actor)
    noise = draw_noise(2, 2, 2, torch.Generator().manual_seed(0), rule.extra_draws())
    assert torch.isfinite(act(rule, trainer.parts(), torch.zeros(2, 3), noise)).all()
