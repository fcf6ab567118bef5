"""Which device ``auto`` takes: a function of the work's size and the machine, and everybody asks the same one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from commands.running import run_main
from engine.small_runs import WAYS, small_config, small_trainer
from engine.tape import Tape
from torch.utils.flop_counter import FlopCounterMode

import workbench as wb
from workbench.engine import devices
from workbench.engine.devices import Machine, Work, choose, seconds_on_cpu, seconds_on_cuda
from workbench.engine.graphs import leaving_no_trace
from workbench.engine.training.config import make_config
from workbench.engine.words import UserError
from workbench.runs import devices as asked
from workbench.runs.devices import choose_device, evaluation_work, training_work, usual_work, why_auto

H200 = Machine(2, "NVIDIA H200", 60e12)


def test_small_work_stays_on_the_processor_and_large_work_leaves_it() -> None:
    chosen = {name: choose(work, H200).device for name, work in usual_work().items()}
    assert list(chosen.values()) == ["cpu", "cuda", "cuda", "cuda"]
    assert {choose(work, Machine(2)).device for work in usual_work().values()} == {"cpu"}


def test_the_reason_has_both_times() -> None:
    choice = choose(Work("100 updates", 100, 200, 1e6), H200)
    assert choice.why == "100 updates: about 0.12 s on the CPU, 5 s on NVIDIA H200 (5 s of it to start)"
    assert choice.cuda_seconds is not None
    assert choice.cpu_seconds < choice.cuda_seconds
    assert choose(Work("100 updates", 100, 200, 1e6), Machine(4)).why.endswith("there is no CUDA device here")
    near = choose(Work("3,000 updates", 3000, 250, 1e8), Machine(2, "a card", 60e12))
    assert near.device == "cpu"
    assert near.why.endswith("; CUDA is taken when it is 2 times faster")


def test_more_of_the_same_work_never_goes_back_to_the_processor() -> None:
    for operations, products in ((200, 1e7), (300, 3e9), (600, 1e11)):
        chosen = [choose(Work("", 10**power, operations, products), H200).device for power in range(8)]
        assert chosen == sorted(chosen)  # "cpu" comes before "cuda"
        assert chosen[0] == "cpu"
        assert chosen[-1] == "cuda"


def test_what_cannot_be_recorded_counts_every_launch() -> None:
    recorded, alone = (Work("", 10**6, 200, 1e7, flag) for flag in (True, False))
    assert choose(recorded, H200).device == "cuda"
    assert choose(alone, H200).device == "cpu"


@pytest.mark.parametrize(
    ("settings", "sizes", "cpu", "cuda", "alone"),
    [  # updates a second, measured on two cores of a server and on an H200, recorded and kernel by kernel
        ({"hidden": (512,) * 4}, (29, 8), 39.5, 2308.0, 150.0),
        ({"hidden": (128,) * 2}, (4, 2), 338.0, 9762.0, 188.0),
        ({"hidden": (1024,) * 4, "batch_size": 1024, "chunk": 5}, (29, 8), None, 395.0, 132.0),
    ],
)
def test_estimates_are_near_what_was_measured(
    settings: dict[str, Any], sizes: tuple[int, int], cpu: float | None, cuda: float, alone: float
) -> None:
    for compiled, rate in ((False, cuda), (True, alone)):
        work = training_work(make_config(**settings, steps=1, compile=compiled), *sizes)
        assert 0.5 < (seconds_on_cuda(work, H200) - devices.CUDA_START) * rate < 2.0
    if cpu is not None:
        assert 0.5 < seconds_on_cpu(work, H200) * cpu < 2.0


@pytest.mark.parametrize("way", WAYS)
def test_sizes_are_those_of_the_update_itself(way: str) -> None:
    """Multiply-adds as torch counts them, and operations as a tape does."""
    settings = {"hidden": (64, 64), "batch_size": 32} | WAYS[way]
    trainer = small_trainer(**settings)
    while trainer.phase()[0] is not trainer.phases[-1]:
        trainer.step()
    trainer.step()
    counter, tape, drawn = FlopCounterMode(display=False), Tape(), trainer.draw()
    with leaving_no_trace([]), tape:
        trainer.apply(drawn, 1e-3)
    with counter:
        trainer.apply(drawn, 1e-3)
    work = training_work(small_config(**settings), 3, 2)
    assert 0.5 < work.products / (counter.get_total_flops() / 2) < 2.0
    assert 0.4 < work.operations / len([op for op in tape.operations if not op[0].is_view]) < 2.5


def test_cuda_by_name_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"no CUDA device here.*--device cpu"):
        choose_device("cuda", Work("", 1, 1, 1.0))
    assert choose_device("auto", Work("", 10**9, 1000, 1e12)).type == "cpu"


def test_auto_says_why_only_where_there_was_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    little, much = Work("1 update", 1, 200, 1e6), Work("many", 10**8, 200, 1e6)
    assert why_auto("auto", little) == ""
    monkeypatch.setattr(asked, "this_machine", lambda: H200)
    assert choose_device("auto", little).type == "cpu"
    assert choose_device("auto", much).type == "cuda"
    assert choose_device("cpu", much).type == "cpu"
    assert why_auto("auto", little).startswith("device cpu: 1 update: about")
    assert why_auto("auto", much).startswith("device cuda: many: about")
    assert why_auto("cpu", much) == ""


def test_everybody_asks_the_same_function(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []

    def ask(work: Work, machine: Machine) -> devices.Choice:
        seen.append(work.what)
        return devices.Choice("cpu", 0.0, 1.0, "small")

    monkeypatch.setattr(asked, "choose", ask)
    small = ["--set", "steps=3", "hidden=[8]"]
    out = run_main(capsys, "fit", "bandit2d", "--out", str(tmp_path / "run"), *small)
    assert "device cpu: small" in out.err
    out = run_main(capsys, "evaluate", str(tmp_path / "run"), "--rule", "qgf", "--episodes", "4")
    assert "device cpu: small" in out.err
    run_main(capsys, "measure", "offline", str(tmp_path / "run"), "--rule", "qgf")
    wb.train("bandit2d", steps=3, hidden=(8,), device="auto")
    assert list(dict.fromkeys(seen)) == ["3 updates", "4 episodes", "what the data alone say"]
    assert seen[-1] == "3 updates"


def test_an_evaluation_grows_with_episodes_particles_and_chunks(tmp_path: Path) -> None:
    wb.train("bandit2d", steps=3, hidden=(8,), out=tmp_path / "run")
    run_of = wb.load_run(tmp_path / "run")
    one = evaluation_work(wb.make_rule("qgf"), run_of, 10, 80)
    assert one.calls == 160
    assert evaluation_work(wb.make_rule("qgf"), run_of, 20, 80).products == 2.0 * one.products
    assert evaluation_work(wb.make_rule("qgf", particles=4), run_of, 10, 80).products == 4.0 * one.products
    assert evaluation_work(wb.make_rule("bc"), run_of, 10, 80).products < one.products
