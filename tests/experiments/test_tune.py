"""Choosing a budget: halving finds the best arm, fitted-Q evaluation knows the closed form, and reporting never chooses."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from experiments.small import TASK

from workbench.cli import main
from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.training.loop.fqe import FQEConfig, fitted_q_evaluation
from workbench.experiments.halving import Round, successive_halving
from workbench.experiments.job import SETS
from workbench.experiments.tune import default_values

MEANS = dict(zip((0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), (0.1, 0.2, 0.5, 0.8, 0.6, 0.4, 0.2, 0.1), strict=True))


def bandit(noise: float):
    asked: list[tuple[float, int, int]] = []

    def play(value: float, episodes: int, seed: int) -> np.ndarray:
        asked.append((value, episodes, seed))
        paired = np.random.default_rng(seed).normal(
            0.0, noise, episodes
        )  # the luck of a seed is the same for every value
        own = np.random.default_rng((seed, int(10 * value))).normal(0.0, noise, episodes)
        return MEANS[value] + paired + own

    return play, asked


def rounds_of(
    noise: float, episodes: int, base: int = 0, keep: int = 2
) -> tuple[list[Round], list[tuple[float, int, int]]]:
    play, asked = bandit(noise)
    return list(successive_halving(play, list(MEANS), episodes, lambda number: base + number, keep)), asked


def test_without_noise_the_best_is_chosen() -> None:
    for keep, count in ((2, 3), (3, 2), (8, 1)):
        rounds, _ = rounds_of(0.0, 24, keep=keep)
        assert len(rounds) == count
        assert rounds[-1].kept == (1.0,)


def test_halves_are_dropped_and_the_rest_plays_more() -> None:
    rounds, asked = rounds_of(0.1, 480)
    assert [len(step.means) for step in rounds] == [8, 4, 2]
    assert [step.episodes for step in rounds] == [20, 40, 80]
    assert sum(episodes for _, episodes, _ in asked) == 480
    for step in rounds:  # everyone of a round meets the same seed, and no two rounds share one
        assert {seed for value, episodes, seed in asked if seed == step.seed} == {step.seed}
    assert len({step.seed for step in rounds}) == 3
    assert set(rounds[0].kept) == set(rounds[1].means)


def test_it_finds_the_best_more_often_than_the_same_episodes_spread_evenly() -> None:
    """160 episodes, standard deviation 0.5: even spreading picks by means with 0.5/√20 = 0.11 (own part alone)."""
    halving = even = 0
    for trial in range(200):
        rounds, _ = rounds_of(0.5, 160, base=1000 * trial)
        halving += rounds[-1].kept == (1.0,)
        play, _ = bandit(0.5)
        means = {value: play(value, 20, 1000 * trial + 500).mean() for value in MEANS}
        even += max(means, key=lambda value: means[value]) == 1.0
    assert halving >= even  # both out of 200 with the same paired luck
    assert halving > 160  # a binomial of 200 at 0.9 lies above 160 in all but 1 of 10^6 cases


@pytest.mark.parametrize(
    ("values", "episodes", "keep", "words"),
    [([], 10, 2, "all different"), ([1.0, 1.0], 10, 2, "all different"), ([1.0, 2.0], 1, 2, "at least 2 episodes"),
     ([1.0, 2.0], 9, 1, "keep must be")],
)  # fmt: skip
def test_halving_refuses(values: list[float], episodes: int, keep: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        list(successive_halving(lambda *_: np.zeros(1), values, episodes, lambda n: n, keep))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_ladder_inside_its_bounds_or_says_why_not(rule: str) -> None:
    if RULES[rule].bc_at == {} or RULES[rule].trained_strength:
        with pytest.raises(ValueError, match="no strength to choose at test time"):
            default_values(rule)
        return
    axis, values = default_values(rule)
    assert len(values) > 2
    for value in values:
        make_rule(rule, **{axis: value})


# --- fitted-Q evaluation ------------------------------------------------------------------------------------------


def chain(rows: int, rng: np.random.Generator) -> Transitions:
    """Two steps: state 0 pays a, then state 1 pays 2 a' and ends. Actions are uniform on [-1, 1]."""
    first = rng.uniform(-1, 1, (rows, 1))
    second = rng.uniform(-1, 1, (rows, 1))
    states = np.tile([[0.0], [1.0]], (rows, 1))
    actions = np.stack((first, second), 1).reshape(-1, 1)
    rewards = np.stack((first[:, 0], 2.0 * second[:, 0]), 1).reshape(-1)
    masks = np.tile([1.0, 0.0], rows)
    following = np.tile([[1.0], [1.0]], (rows, 1))
    return make_transitions(states, actions, rewards, masks, following, 1.0 - masks)


def constant_parts(action: float, discount: float) -> Parts:
    """A flow that carries any noise to ``action``: v = (action − a) / (1 − t) ends there at t = 1."""

    def velocity(observations: torch.Tensor, actions: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (action - actions) / (1.0 - t[:, None])

    def critic(observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        return actions.sum(1)

    return Parts(1, 1, velocity, critic, discount=discount, reward_scale=1.0)


def run_fqe(rules, parts: Parts, data: Transitions, config: FQEConfig) -> np.ndarray:
    work, shares = fitted_q_evaluation(rules, parts, data, config), []
    while True:
        try:
            shares.append(next(work))
        except StopIteration as end:
            assert shares == sorted(shares)
            assert shares[-1] == 1.0
            found: np.ndarray = end.value
            return found


def test_fqe_knows_the_value_of_a_two_step_chain(rng: np.random.Generator) -> None:
    """V = a + γ 2 a for the policy that always does a. The flow undoes every push but the last, δ·w·∇Q = 0.1 w."""
    gamma = 0.8
    rules = [make_rule("qgf", weight=w) for w in (0.0, 3.0, 10.0)]
    config = FQEConfig(hidden=(32, 32), steps=1500, tau=0.1, rows=2000, learning_rate=3e-3)
    parts = constant_parts(-0.4, gamma)
    values = run_fqe(rules, parts, chain(1000, rng), config)
    actions = np.array([-0.4, -0.4 + 0.1 * 3.0, -0.4 + 0.1 * 10.0])
    np.testing.assert_allclose(values, actions * (1.0 + 2.0 * gamma), atol=0.08)


def test_fqe_scales_rewards_back_and_is_repeatable(rng: np.random.Generator) -> None:
    from dataclasses import replace

    parts, data = constant_parts(0.5, 0.5), chain(500, rng)
    config = FQEConfig(hidden=(32, 32), steps=1000, tau=0.1, rows=1000, learning_rate=3e-3)
    once = run_fqe([make_rule("bc")], parts, data, config)
    again = run_fqe([make_rule("bc")], parts, data, config)
    np.testing.assert_array_equal(once, again)
    scaled = run_fqe([make_rule("bc")], replace(parts, reward_scale=4.0), data, config)
    assert scaled[0] == pytest.approx(once[0], abs=0.08)
    assert once[0] == pytest.approx(1.0, abs=0.08)
    with pytest.raises(ValueError, match="at least one rule"):
        run_fqe([], parts, data, config)


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune") / "run"
    main(["fit", TASK, "--out", str(folder), "--steps", "60", "--set", "hidden=[8,8]", "batch_size=32"])
    return folder


def test_tune(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.experiments import tune as module

    seeds: list[int] = []
    original = module.rollout

    def watched(rule, parts, task, episodes, seed, tick):
        seeds.append(seed)
        return original(rule, parts, task, episodes, seed, tick)

    monkeypatch.setattr(module, "rollout", watched)
    capsys.readouterr()
    flags = ["--rule", "qgf", "--over", "weight=0,0.3,3", "--episodes", "18", "--report-episodes", "6"]
    main(["tune", str(run), *flags, "--regret", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["chosen"] in (0.0, 0.3, 3.0)
    assert found["episodes"] == sum(step["episodes"] * len(step["means"]) for step in found["rounds"]) <= 18
    assert [len(step["means"]) for step in found["rounds"]] == [3, 2]
    assert found["regret"] >= 0.0
    assert found["regret"] == pytest.approx(max(e["mean"] for e in found["grid"]) - found["reported"]["mean"])
    chosen_with = {step["seed"] for step in found["rounds"]}
    assert all(SETS["choose"] <= seed < SETS["report"] for seed in chosen_with)
    assert SETS["report"] in seeds  # reported on seeds that no round has seen
    seeds.clear()
    main(["tune", str(run), *flags])
    assert {seed for seed in seeds if seed >= SETS["report"]} == {SETS["report"]}
    out = capsys.readouterr()
    assert "chosen: weight =" in out.out
    assert f"use it: workbench evaluate {run} --rule qgf --set weight=" in out.err


def test_tune_offline_plays_no_episode_to_choose(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.experiments import tune as module

    seeds: list[int] = []
    original = module.rollout

    def watched(rule, parts, task, episodes, seed, tick):
        seeds.append(seed)
        return original(rule, parts, task, episodes, seed, tick)

    monkeypatch.setattr(module, "rollout", watched)
    monkeypatch.setattr(module, "FQEConfig", lambda **given: FQEConfig(**given | {"steps": 100, "rows": 300}))
    capsys.readouterr()
    flags = ["tune", str(run), "--rule", "vgf", "--over", "steps=0,3", "--offline", "--report-episodes", "4"]
    main([*flags, "--json", "--in-support", "0"])  # the flow of this run has learned next to nothing
    found = json.loads(capsys.readouterr().out)
    assert (found["method"], found["episodes"], found["rounds"]) == ("fqe", 0, [])
    assert seeds == [SETS["report"]]
    assert [entry["value"] for entry in found["inside"]] == [0.0, 3.0]
    assert all(0.0 <= entry["mean"] <= 1.0 for entry in found["inside"])

    # what leaves the data's support is not chosen, however well the evaluation critics speak of it
    for shares, chosen in (({0.0: 0.4, 3.0: 0.6}, 3.0), ({0.0: 0.6, 3.0: 0.4}, 0.0)):
        monkeypatch.setattr(module, "_inside", lambda *_, shares=shares: shares)
        main(flags)
        assert f"chosen: steps = {chosen:g} (fitted-Q evaluation, no episode)" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*flags, "--in-support", "0.9"])
    assert (
        "no value of steps keeps 90% of its actions in the data's support (the best is 0: 60%)"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rule", "qfg"], "did you mean 'qgf'"),
        (["--rule", "bc"], "no strength to choose at test time"),
        (["--rule", "qgf", "--over", "weight=1"], "two numbers or more"),
        (["--rule", "qgf", "--over", "pick=greedy,uniform"], "two numbers or more"),
        (["--rule", "qgf", "--over", "wieght=1,2"], "did you mean 'weight'"),
        (["--rule", "qgf", "--episodes", "3"], "give more --episodes"),
        (["--rule", "qgf", "--seed", "-1"], "tune setting 'seed'"),
        (["--rule", "qgf", "--data", "d"], "--data is for --offline"),
    ],
)
def test_tune_refuses(run: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["tune", str(run), *words])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
