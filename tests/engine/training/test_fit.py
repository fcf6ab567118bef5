"""The training loop: progress, cancelling, and resuming bit for bit."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.small_runs import TASK, WAYS, contents, small_config, small_data, small_trainer

from workbench.engine.steering.compiled import compile_whole
from workbench.engine.training.fast.compiled import CompiledUpdate
from workbench.engine.training.loop.checkpoint import load_run, resume, save_checkpoint
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def run_to_end(trainer: Trainer) -> None:
    for _ in fit(trainer):
        pass


def once_more() -> Callable[[], bool]:
    """Stop after one more update."""
    answers = iter((False, True))
    return lambda: next(answers)


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: trainer.networks.net(name).theta.detach().clone() for name in trainer.trained}


def test_progress_is_reported_while_training() -> None:
    trainer = small_trainer()
    loop = fit(trainer, report_every=8)
    first = next(loop)
    assert (first.step, first.total, trainer.step_number) == (8, 20, 8)  # lazy: no further than what was asked for
    assert set(first.losses) == {"flow", "critic", "value"}
    assert first.phase == "behaviour flow and critic"
    rest = list(loop)
    assert [report.step for report in rest] == [16, 20]
    for report in (first, *rest):
        assert all(math.isfinite(value) for value in report.losses.values())
        assert report.steps_per_second > 0.0
        assert not report.stopped
    assert first.eta_seconds > rest[-1].eta_seconds == 0.0
    assert trainer.finished
    assert list(fit(trainer)) == []


def test_phases_follow_each_other() -> None:
    reports = list(fit(small_trainer(**WAYS["td_vgf, frozen"]), report_every=5))
    assert [report.phase for report in reports] == ["behaviour flow"] * 2 + ["critic"] * 4
    assert [report.step for report in reports] == [5, 10, 15, 20, 25, 30]
    assert {report.total for report in reports} == {30}


@each_way
def test_resuming_after_any_step_gives_the_same_bytes(way: dict[str, Any], tmp_path: Path) -> None:
    """Saved and taken up again after every single update; state file and run.json are those of one long run."""
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    whole.mkdir()
    pieces.mkdir()
    trainer = small_trainer(**way)
    run_to_end(trainer)
    save_checkpoint(trainer, whole, TASK)

    data = small_data()
    save_checkpoint(small_trainer(**way), pieces, TASK)
    for step in range(trainer.total_steps):
        torch.manual_seed(step)  # the global generator has no part in it
        taken_up = resume(load_run(pieces, TASK), data)
        assert taken_up.step_number == step
        reports = list(fit(taken_up, save=lambda t: save_checkpoint(t, pieces, TASK), should_stop=once_more()))
        assert reports[-1].stopped == (step < trainer.total_steps - 1)
    assert contents(pieces) == contents(whole)


def test_a_cancelled_loop_leaves_a_usable_trainer() -> None:
    trainer, whole = small_trainer(), small_trainer()
    for report in fit(trainer, report_every=3):
        if report.step == 9:
            break
    run_to_end(trainer)
    run_to_end(whole)
    for name, theta in weights(whole).items():
        assert torch.equal(weights(trainer)[name], theta)


def test_stopping_saves_at_that_step() -> None:
    trainer, saved = small_trainer(), []
    reports = list(
        fit(trainer, save=lambda t: saved.append(t.step_number), should_stop=lambda: trainer.step_number == 7)
    )
    assert saved == [7]
    assert reports[-1].stopped
    assert reports[-1].step == trainer.step_number == 7


def test_saves_come_when_asked_and_at_the_end() -> None:
    trainer, saved = small_trainer(), []
    list(fit(trainer, save=lambda t: saved.append(t.step_number), save_every=8))
    assert saved == [8, 16, 20]


@pytest.mark.parametrize("wrong", [{"save_every": 0}, {"report_every": -1}])
def test_intervals_of_no_steps_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        next(fit(small_trainer(), **wrong))


def test_losses_that_blow_up_are_an_error_and_are_not_saved() -> None:
    saved: list[int] = []
    data = small_data(rewards=np.full(60, 3e38))
    trainer = Trainer(data, small_config())
    with pytest.raises(FloatingPointError, match=r"the loss '\w+' is (inf|nan) at step 1; lower learning_rate"):
        list(fit(trainer, save=lambda t: saved.append(t.step_number), save_every=1, report_every=100))
    assert saved == []


@pytest.mark.parametrize("stop", [False, True])
def test_weights_that_blew_up_are_not_saved(stop: bool) -> None:
    """A finite loss with an infinite gradient: only the weights tell."""
    saved, trainer = [], small_trainer()

    def step(most: int = 1) -> dict[str, torch.Tensor]:
        trainer.step_number += 1
        with torch.no_grad():
            trainer.weights["critic"][0] = torch.inf
        return {"critic": torch.tensor(1.0)}

    trainer.step = step  # type: ignore[method-assign]
    loop = fit(
        trainer, save=lambda t: saved.append(1), save_every=3, should_stop=lambda: stop and trainer.step_number == 1
    )
    with pytest.raises(FloatingPointError, match="weights of 'critic' are no longer finite at step"):
        list(loop)
    assert saved == []


@each_way
def test_fewer_rows_than_a_batch(way: dict[str, Any]) -> None:
    for rows in (1, 5):
        trainer = Trainer(small_data(rows), small_config(**way))
        run_to_end(trainer)
        assert all(torch.isfinite(theta).all() for theta in weights(trainer).values())


def test_the_seed_fixes_everything() -> None:
    first, same, other = small_trainer(seed=1), small_trainer(seed=1), small_trainer(seed=2)
    for trainer in (first, same, other):
        run_to_end(trainer)
    for name, theta in weights(first).items():
        assert torch.equal(weights(same)[name], theta)
        assert not torch.equal(weights(other)[name], theta)


def test_schedule() -> None:
    cosine, constant = small_trainer(schedule="cosine"), small_trainer()
    rates = []
    for step in range(20):
        cosine.step_number = constant.step_number = step
        rates.append(cosine.learning_rate())
        assert constant.learning_rate() == 1e-3
        assert cosine.learning_rate() == pytest.approx(1e-3 * 0.5 * (1 + math.cos(math.pi * step / 20)), rel=1e-12)
    assert rates[0] == 1e-3
    assert rates == sorted(rates, reverse=True)


def test_normalisation_is_the_datas_and_goes_with_the_parts() -> None:
    data, trainer = small_data(), small_trainer()
    parts = trainer.parts()
    observations = torch.from_numpy(data.observations)
    normal = parts.normalize(observations)
    torch.testing.assert_close(normal.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normal.std(0, correction=0), torch.ones(3), atol=1e-4, rtol=0)
    plain = small_trainer(normalize_observations=False).parts()
    assert torch.equal(plain.normalize(observations), observations)


def test_reward_scale_scales_rewards_only() -> None:
    index = torch.arange(60)
    one, ten = (small_trainer(n_step=3, reward_scale=scale).replay.batch(index) for scale in (1.0, 10.0))
    torch.testing.assert_close(ten.rewards, 10.0 * one.rewards)
    assert torch.equal(ten.discounts, one.discounts)
    assert small_trainer(reward_scale=10.0).parts().reward_scale == 10.0


def test_parts_are_a_copy() -> None:
    trainer = small_trainer()
    before = trainer.parts()
    q = before.critic(torch.zeros(1, 3), torch.zeros(1, 2)).clone()
    run_to_end(trainer)
    assert torch.equal(before.critic(torch.zeros(1, 3), torch.zeros(1, 2)), q)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's compiler imports torch's old one
@pytest.mark.parametrize(
    "name",
    [
        "iql",
        "td_vgf, frozen",
    ],
)
def test_the_compiled_update_equals_the_eager_one(name: str) -> None:
    way = WAYS[name] | {"steps": 6, "tau": 0.1} | ({"reference_steps": 3} if "frozen" in name else {})
    eager, compiled = small_trainer(**way), small_trainer(**way, compile=True)
    compiled.compiled = {", ".join(phase.losses): True for phase in compiled.phases}
    for _ in range(eager.total_steps):
        expected, found = eager.step(), compiled.step()
        for key, loss in expected.items():
            torch.testing.assert_close(found[key], loss, rtol=1e-5, atol=1e-5)
    assert all(isinstance(update, CompiledUpdate) for update in compiled._compilations.values())
    for key, theta in weights(eager).items():
        torch.testing.assert_close(weights(compiled)[key], theta, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_one_process_compiles_for_many_runs() -> None:
    """torch keeps few compilations of the same code, and ends the next one with an error."""
    with torch._dynamo.config.patch(recompile_limit=1):
        for number in range(3):
            plus = compile_whole(lambda x, n=number: x + n, on_cpu=False)
            assert plus(torch.zeros(2)).tolist() == [number] * 2


def test_what_cannot_be_compiled_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch's compiler raises, say, for an actor that differentiates its own flow (qgf_jacobian, bptt)."""

    def refuse(*inputs: Any) -> None:
        raise torch._dynamo.exc.TorchDynamoException("a reason\nand a long trace")

    monkeypatch.setattr(CompiledUpdate, "_update", refuse)
    monkeypatch.setattr("workbench.engine.training.fast.compiled.compile_whole", lambda function, on_cpu: function)
    trainer = small_trainer(compile=True)
    with pytest.raises(ValueError, match=r"losses flow_matching, iql cannot be compiled \(a reason\).*compile=false"):
        trainer.step()


def test_compiling_without_a_compiler_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler and none was found: install one .*compile=false"):
        small_trainer(compile=True)
    small_trainer()
