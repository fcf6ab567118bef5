"""A policy that was exported acts as it does here, in torch's own runner and in onnxruntime."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from contract.scenes import make_parts

from workbench.engine.models.parts import Parts
from workbench.engine.steering.inpaint import act_on, held_parts
from workbench.engine.steering.noise import Noise, draw_noise
from workbench.engine.steering.program import arguments_of, inputs_of, program_of
from workbench.engine.steering.protocol import Rule
from workbench.engine.steering.rules import RULES, make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.latency import Latency
from workbench.engine.words import MissingExtraError, UserError
from workbench.runs import exporting
from workbench.runs.exporting import export_policy


def small(name: str) -> Rule:
    """A rule that steers, with few steps and particles: each step is some dozen operations of the program."""
    whole = RULES[name]()
    few = {
        key: most for key, most in (("flow_steps", 2), ("steps", 2), ("particles", 3)) if getattr(whole, key, 0) > most
    }
    return make_rule(name, **few)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return make_parts(4, 2)


def drawn(rule: Rule, parts: Parts, states: int, seed: int = 3) -> tuple[torch.Tensor, Noise]:
    generator = torch.Generator().manual_seed(seed)
    noise = draw_noise(states, rule.particles, parts.action_dim, generator, rule.extra_draws())
    return 3.0 * torch.randn(states, parts.observation_dim, generator=generator), noise


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_is_a_program_for_any_number_of_states(parts: Parts, name: str) -> None:
    rule = small(name)
    run = program_of(rule, parts).module()
    for states in (1, 2, 9, 61):
        observations, noise = drawn(rule, parts, states)
        actions, check = run(*arguments_of(rule, observations, noise))
        torch.testing.assert_close(actions, act(rule, parts, observations, noise), rtol=0.0, atol=1e-5)
        assert check.isfinite()
    observations[0, 0] = torch.nan
    assert not run(*arguments_of(rule, observations, noise))[1].isfinite()  # who deploys it is told


def test_tracing_leaves_nothing_behind(parts: Parts) -> None:
    """What the networks remember between calls must not remember what stood for tensors while a program was made."""
    rule = small("qgf")
    wide = [drawn(rule, parts, states) for states in (1, 2000)]
    before = [act(rule, parts, *one) for one in wide]
    program_of(rule, parts)
    for one, wanted in zip(wide, before, strict=True):
        assert torch.equal(act(rule, parts, *one), wanted)


def test_the_folder_says_what_goes_in_and_onnx_agrees(parts: Parts, tmp_path: Path) -> None:
    rule = small("qpilots_m")
    done = export_policy(rule, parts, tmp_path / "out", about={"task": "a task"})
    assert sorted(path.name for path in done.folder.iterdir()) == ["policy.json", "policy.onnx", "policy.pt2"]
    note = json.loads((done.folder / "policy.json").read_text())
    assert note["task"] == "a task"
    assert list(note["inputs"]) == list(inputs_of(rule))
    assert max(done.differences.values()) <= 1e-5
    assert set(done.milliseconds) == {"act", "pt2", "onnx"}

    session = onnxruntime.InferenceSession(done.folder / "policy.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == list(note["inputs"])
    assert [one.name for one in session.get_outputs()] == list(note["outputs"])
    for states in (1, 4, 33):
        observations, noise = drawn(rule, parts, states, seed=8)
        inputs = dict(zip(note["inputs"], (x.numpy() for x in arguments_of(rule, observations, noise)), strict=True))
        actions, check = session.run(None, inputs)
        np.testing.assert_allclose(actions, act(rule, parts, observations, noise).numpy(), rtol=0.0, atol=1e-5)
        assert np.isfinite(check)


def test_for_one_number_of_states_alone(parts: Parts, tmp_path: Path) -> None:
    done = export_policy(small("vgf"), parts, tmp_path / "out", formats=["pt2"], states=2)
    note = json.loads((done.folder / "policy.json").read_text())
    assert note["inputs"]["observations"]["shape"] == [2, parts.observation_dim]
    assert list(done.differences) == ["pt2"]


def test_a_chunk_that_goes_on_from_the_one_before(parts: Parts, tmp_path: Path) -> None:
    """Real-time chunking runs elsewhere as it does here: the plan is a part of what is observed."""
    chunked, rule = replace(make_parts(4, 10), chunk=5), small("qgf")
    done = export_policy(rule, chunked, tmp_path / "out", formats=["onnx"], latency=Latency(delay=2))
    note = json.loads((done.folder / "policy.json").read_text())
    assert note["plan"] | {"meaning": ""} == {"numbers": 10, "from_step": 3, "play_from": 2, "meaning": ""}
    observations, noise = drawn(rule, chunked, 3)
    before = act(rule, chunked, observations, noise).view(3, 5, 2)
    plan = torch.cat((before[:, 3:], torch.zeros(3, 3, 2)), 1).flatten(1)
    wanted = act_on(rule, held_parts(rule, chunked, 2, 2), observations, plan, 2, noise)
    session = onnxruntime.InferenceSession(done.folder / "policy.onnx", providers=["CPUExecutionProvider"])
    inputs = arguments_of(rule, torch.cat((plan, observations), 1), noise)
    actions, _ = session.run(None, dict(zip(note["inputs"], (x.numpy() for x in inputs), strict=True)))
    np.testing.assert_allclose(actions[:, 4:], wanted[:, 4:].numpy(), rtol=0.0, atol=1e-5)
    with pytest.raises(UserError, match="only real-time chunking makes another program"):
        export_policy(rule, chunked, tmp_path / "other", latency=Latency(delay=2, way="naive"))
    with pytest.raises(UserError, match="needs chunks of at least 2"):
        export_policy(rule, parts, tmp_path / "other", latency=Latency(delay=1))


class Deciding(torch.nn.Module):
    """A velocity that asks what its numbers are."""

    def forward(self, observations: torch.Tensor, actions: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return -actions if float(actions.mean()) > 0.0 else actions


def test_what_no_program_can_hold_is_refused_in_words(parts: Parts, tmp_path: Path) -> None:
    odd = Parts(4, 2, Deciding())
    with pytest.raises(UserError, match="rule 'bc' cannot be exported for any number of states"):
        export_policy(make_rule("bc"), odd, tmp_path / "out")
    with pytest.raises(UserError, match="rule 'bc' with these parts cannot be exported"):
        export_policy(make_rule("bc"), odd, tmp_path / "out", states=2)
    assert not (tmp_path / "out").exists()


def test_one_that_differs_is_not_written(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "EXACT", -1.0)
    with pytest.raises(UserError, match="the exported pt2 differs from act by"):
        export_policy(small("bc"), parts, tmp_path / "out", formats=["pt2"])
    assert list(tmp_path.iterdir()) == []


def test_wrong_wishes_are_refused(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = small("bc")
    with pytest.raises(UserError, match="choose another folder"):
        export_policy(rule, parts, tmp_path)
    with pytest.raises(UserError, match="one state at least, got 0"):
        export_policy(rule, parts, tmp_path / "out", states=0)
    with pytest.raises(UserError, match="formats are pt2, onnx; got 'tflite'"):
        export_policy(rule, parts, tmp_path / "out", formats=["tflite"])  # type: ignore[list-item]
    with pytest.raises(UserError, match="got none"):
        export_policy(rule, parts, tmp_path / "out", formats=[])
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'workbench\[export\]'"):
        export_policy(rule, parts, tmp_path / "out")
