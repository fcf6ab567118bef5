"""The script that measures a GPU runs through, on the CPU at tiny sizes, with a tape in the place of the GPU's recordings."""

import sys

import pytest
import torch
from engine.tape import TapeRecorder

from benchmarks.__main__ import main
from workbench.engine.steering import graphs
from workbench.engine.training.loop import together, trainer


def test_it_runs_through(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = TapeRecorder()
    for module in (graphs, together, trainer):
        monkeypatch.setattr(module, "recorder_for", lambda device: recorder)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "gpu", "--device", "cpu", "--quick"])
    main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("the CPU, torch ")
    updates = [line for line in lines if " update " in line]
    assert len(updates) == 4 * 5  # every size of network, in each way that a CPU knows
    assert [" yes " in line for line in updates] == [False, True, True, True, True] * 4
    assert sum("QGF act" in line for line in lines) == 2 * 5
    for words in ("seeds at once", "fit three_exits", "evaluate, 5 episodes", "auto "):
        assert any(words in line for line in lines), words
    assert recorder.tapes


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "gpu"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "there is no CUDA device here" in capsys.readouterr().err
