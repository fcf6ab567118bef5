"""Checkpoints of QGF's diffusion agent: the three networks, the schedule, the flow that they also are, and a run of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands.running import run_main
from engine.published_trees import dense

from workbench.engine.models.diffusion import betas, kept, step_back
from workbench.engine.models.published import load_published
from workbench.engine.models.published.load import read_published
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act

S, D, HIDDEN = 4, 2, (8, 6)  # of three_exits
PARITY = Path(__file__).parents[2] / "parity" / "data" / "dac_c1.npz"


def weights(steps: int = 10, schedule: str = "vp") -> dict[str, np.ndarray]:
    """A checkpoint's tree, flat."""
    rng = np.random.default_rng(0)
    nets = {"actor.FourierFeatures_0.kernel": 0.2 * rng.normal(size=(32, 1))}
    nets |= dense("actor.MLP_0", (64, *HIDDEN), 1, 0, rng)
    nets |= dense("actor.MLP_1", (D + S + HIDDEN[-1], *HIDDEN, D), 1, 0, rng)
    for name in ("critic", "target_critic"):
        nets |= dense(f"{name}.value_net", (S + D, *HIDDEN, 1), 2, 2, rng)
    nets |= dense("value.value_net", (S, *HIDDEN, 1), 1, 2, rng)
    arrays = {f"agent.network.params.modules_{name}": array.astype("f4") for name, array in nets.items()}
    arrays["agent.betas"] = np.array([0.0, *betas(schedule, steps)], dtype="f4")  # type: ignore[arg-type]
    return arrays | {"agent.network.step": np.array(700, np.int32)}


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_the_published_actions(before: bool, after: bool) -> None:
    """Of the published code's own weights and noise; it does not clip the end, which `act` does."""
    parts = load_published(PARITY)
    with np.load(PARITY, allow_pickle=False) as z:
        states, start, fresh = (
            torch.from_numpy(z[f"in.{n}"]) for n in ("next_observations", "next_noise", "step_noise")
        )
        wanted = torch.from_numpy(z[f"out.next_actions_before{before:d}_after{after:d}"]).clamp(-1.0, 1.0)
    noise = Noise(start[:, None], torch.full((len(start), 1), 0.5), fresh[:9].transpose(0, 1)[:, None])
    found = act(make_rule("dac", clip_before=before, clip_after=after), parts, states, noise)
    assert float((found - wanted).abs().max()) < 1e-5


@pytest.mark.parametrize(("steps", "schedule"), [(10, "vp"), (5, "cosine"), (20, "vp")])
def test_networks_and_schedule_are_found(steps: int, schedule: str) -> None:
    found = read_published(
        weights(steps, schedule), config={"agent": {"agent_name": "dcgql", "actor_loss_type": "qsm"}}
    )
    policy = {"qsm_actor", "qsm_clock", "qsm_frequencies"}
    assert set(found.descriptions) == {"reference", "critic", "target_critic", "value"} | policy
    assert (found.observation_dim, found.action_dim, found.step, found.left_out) == (S, D, 700, ())
    assert found.settings.flow_steps == steps
    assert any(
        f"--rule qsm --set schedule={schedule} clip_before=false clip_after=false" in note for note in found.notes
    )
    assert set(load_published(weights()).extra) == {name.replace("qsm", "dac") for name in policy}


def test_the_behaviour_flow_is_the_same_estimate() -> None:
    """By hand, at the time where step 7 of the schedule has the straight line's own mixture: v = (y − σ ε̂) / α − ε̂."""
    parts = load_published(weights())
    signal = kept("vp", 10)[1][7]
    alpha, sigma = signal**0.5, (1.0 - signal) ** 0.5
    t = alpha / (alpha + sigma)
    s, x = torch.randn(6, S), torch.randn(6, D)
    word = parts.extra["dac_clock"](parts.extra["dac_frequencies"](torch.full((6, 1), 0.7)))
    y = (alpha + sigma) * x
    noise = parts.extra["dac_actor"](s, y, word)
    wanted = (y - sigma * noise) / alpha - noise
    torch.testing.assert_close(parts.reference(s, x, torch.full((6,), t)), wanted, rtol=1e-4, atol=1e-4)
    clean = step_back(y, noise, None, 1.0 - betas("vp", 10)[6], (signal, 1.0), (False, False))
    torch.testing.assert_close(clean - noise, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"actor.FourierFeatures_0.kernel": np.zeros((16, 1), "f4")}, r"FourierFeatures_0.kernel' has shape \(16, 1\)"),
        ({"actor.FourierFeatures_0.kernel": np.full((32, 1), np.nan, "f4")}, "32 finite frequencies"),
        ({"actor.MLP_0.Dense_0.kernel": np.zeros((60, 8), "f4")}, "64 features of the time were expected"),
        ({"actor.MLP_1.Dense_0.kernel": np.zeros((8, 8), "f4")}, "are left for the state"),
        ({"actor.MLP_0.Dense_1.bias": None}, r"no array named '.*actor.MLP_0.Dense_1.bias'"),
        ({"actor.MLP_1.LayerNorm_0.scale": np.ones(8, "f4"), "actor.MLP_1.LayerNorm_0.bias": np.ones(8, "f4")}, "LayerNorm"),
        ({"actor.Dense_0.kernel": np.zeros((6, 2), "f4")}, r"actor.Dense_0.kernel' is no part of a diffusion"),
        ({"agent.betas": np.linspace(0.0, 0.5, 11)}, "none of the schedules vp, linear, cosine"),
        ({"agent.betas": np.zeros((2, 2))}, "none of the schedules"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(change: dict[str, np.ndarray | None], words: str) -> None:
    arrays: dict[str, Any] = weights()
    arrays |= {
        name if name.startswith("agent.") else f"agent.network.params.modules_{name}": array
        for name, array in change.items()
    }
    with pytest.raises(ValueError, match=words):
        read_published({name: array for name, array in arrays.items() if array is not None})


def test_settings_stand_in_for_the_betas() -> None:
    arrays = {name: array for name, array in weights().items() if name != "agent.betas"}
    config = {"agent": {"beta_schedule": "cosine", "diffusion_steps": 7}}
    found = read_published(arrays, config=config)
    assert found.settings.flow_steps == 7
    assert read_published(arrays).settings.flow_steps == 10
    for wrong in ({"beta_schedule": "quadratic"}, {"diffusion_steps": 1}, {"diffusion_steps": "7"}):
        with pytest.raises(ValueError, match="2 to 100 of vp, linear, cosine were expected"):
            read_published(arrays, config=wrong)


def test_a_run_of_it_plays(capsys: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "params_700.npz", **weights())
    settings = {"agent": {"agent_name": "dcgql", "actor_loss_type": "dac"}}
    (tmp_path / "flags.json").write_text(json.dumps(settings), encoding="utf-8")
    done = run_main(capsys, "import", tmp_path / "params_700.npz", "--task", "three_exits", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "--rule dac --set schedule=vp clip_before=false clip_after=false" in done.err
    for rule in ("dac", "bc", "best_of_n"):
        played = run_main(capsys, "evaluate", tmp_path / "run", "--rule", rule, "--episodes", 3, "--json")
        assert played.code == 0, played.err
        assert played.json["rule"] == rule
