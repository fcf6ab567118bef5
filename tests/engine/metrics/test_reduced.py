"""Rounded weights are on their grids and nothing else changes; what a reduced precision costs is measured against full fp32."""

from pathlib import Path

import pytest
import torch
from commands.running import run_main
from contract.scenes import make_parts
from torch import nn

import workbench as wb
from workbench.engine.metrics.reduced import measure_reduced
from workbench.engine.models.rounded import CODES, Weights, round_matrix, with_rounded_weights


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_weights_are_on_their_grid_and_the_rest_is_as_it_was(weights: Weights) -> None:
    parts = make_parts(3, 2)
    before = parts.critic.net.theta.clone()
    rounded = with_rounded_weights(parts, weights)
    assert torch.equal(parts.critic.net.theta, before)
    for name, array in parts.critic.net.arrays().items():
        found = rounded.critic.net.arrays()[name]
        if not name.endswith(".weight"):
            assert torch.equal(found, array)
            continue
        assert not torch.equal(found, array)
        if weights == "bf16":
            assert torch.equal(found.bfloat16().float(), found)
            assert (found - array).abs().max() <= array.abs().max() * 2.0**-8
        else:
            scale = array.abs().amax(1, keepdim=True) / CODES
            codes = found / scale
            assert torch.allclose(codes, codes.round(), atol=1e-3)
            assert codes.abs().max() <= CODES + 1e-3
            assert ((found - array).abs() <= 0.5001 * scale).all()
    again = with_rounded_weights(rounded, weights)
    torch.testing.assert_close(again.reference.net.theta, rounded.reference.net.theta, rtol=1e-6, atol=1e-7)
    assert not torch.equal(rounded.extra["one_step"].net.theta, parts.extra["one_step"].net.theta)


def test_modules_of_others_have_a_scale_for_each_output() -> None:
    linear = nn.Linear(4, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0, 0.3, -0.2, 0.0], [100.0, 30.0, -20.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    parts = wb.Parts(4, 2, make_parts(4, 2).reference, extra={"theirs": linear, "function": len})
    rounded = with_rounded_weights(parts, "int8")
    found = rounded.extra["theirs"].weight
    torch.testing.assert_close(found[1], 100.0 * found[0])
    assert torch.equal(found[2], torch.zeros(4))
    assert torch.equal(rounded.extra["theirs"].bias, linear.bias)
    assert rounded.extra["function"] is len


def test_int8_by_hand() -> None:
    matrix = torch.tensor([[127.0, 1.0], [-63.6, 0.004]])
    expected = torch.tensor([[127.0, 1.0], [-64.0, 1.0 / 127.0]])
    torch.testing.assert_close(round_matrix(matrix, "int8", inputs=0), expected)


def test_full_precision_costs_nothing_and_the_others_a_little() -> None:
    found = measure_reduced(wb.make_rule("qgf", weight=0.1), make_parts(4, 2), wb.make_task("three_exits"), 5, seed=0)
    by_way = {one.way: one for one in found}
    assert list(by_way) == ["full fp32", "bf16 products", "bf16 weights", "int8 weights"]
    exact = by_way.pop("full fp32")
    assert exact.action_error == exact.largest_error == exact.gain.mean == 0.0
    for one in by_way.values():
        assert 0.0 < one.action_error <= one.largest_error < 0.5
        assert one.ms_one > 0.0
        assert one.ms_many > 0.0


def test_the_command_prints_every_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wb.train("bandit2d", steps=3, hidden=(8,), out=tmp_path / "run")
    asked = ("measure", "precision", str(tmp_path / "run"), "--rule", "qgf", "--episodes", "5")
    table = run_main(capsys, *asked).out
    assert [words in table for words in ("full fp32", "bf16 products", "bf16 weights", "int8 weights")] == [True] * 4
    rows = run_main(capsys, *asked, "--json").json
    assert rows[0]["action_error"] == 0.0
    assert {"low", "high", "mean"} == rows[1]["gain"].keys()
    assert run_main(capsys, *asked[:-1], "0").code == 2


@pytest.mark.parametrize("weights", ["bf16", "int8"])
def test_an_evaluation_with_rounded_weights_says_so(
    weights: Weights, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wb.train("bandit2d", steps=3, hidden=(64,), out=tmp_path / "run")
    asked = ("evaluate", str(tmp_path / "run"), "--rule", "qgf", "--episodes", "8")
    exact, rounded = (run_main(capsys, *asked, "--json", *more).json for more in ((), ("--weights", weights)))
    assert "weights" not in exact
    assert rounded.pop("weights") == weights
    loaded = wb.load_run(tmp_path / "run")
    parts = loaded.parts(weights=weights)
    assert torch.equal(parts.reference.net.theta, with_rounded_weights(loaded.parts(), weights).reference.net.theta)
    assert rounded["transport"] != exact["transport"]
    by_hand = wb.evaluate(wb.make_rule("qgf"), parts, wb.make_task("bandit2d"), 8, seed=0)
    assert rounded["transport"] == pytest.approx(by_hand.transport)
    assert f"weights rounded to {weights}" in run_main(capsys, *asked, "--weights", weights).out
