"""The benchmark against peers, with a peer of our own that has the shape of theirs."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peer import Child, Peer, PeerError
from benchmarks.peers import ROWS, in_turn, run

JAX = """
print("jax greets")
__version__ = "of the test"
class random:
    PRNGKey = staticmethod(lambda seed: seed)
waited = []
block_until_ready = waited.append
"""
QGF = """
import jax, types
class QGFAgent:
    made = updates = 0
    @classmethod
    def create(cls, seed, observations, actions, config):
        assert observations.shape == (1, 4) and actions.shape == (1, 2)
        assert config.actor_hidden_dims == config.value_network_kwargs.hidden_dims == (128, 128)
        assert (config.denoise_steps, config.horizon_length, config.action_chunking) == (10, 1, False)
        return cls()
    def update(self, batch):
        assert batch["actions"].shape == (256, 1, 2) and batch["valid"].shape == (256, 1)
        self.updates += 1
        if self.updates > 3:
            raise FloatingPointError("too many")
        return self, {}
    def sample_actions(self, observations, seed, guidance_weight):
        assert observations.shape in ((1, 4), (256, 4)) and guidance_weight == 0.3
        return observations
def get_config():
    return types.SimpleNamespace(value_network_kwargs=types.SimpleNamespace())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").write_text("")
    (tmp_path / "jax.py").write_text(JAX)
    (tmp_path / "agents" / "qgf.py").write_text(QGF)
    return tmp_path


def test_a_child_times_what_it_is_told(checkout: Path) -> None:
    child = Child(Peer("qgf", sys.executable, str(checkout)), ROWS["qgf-128"].sizes)
    try:
        assert child.about == "jax of the test"  # and what it printed stands not among its answers
        assert child.seconds(2)[0] > 0.0
        with pytest.raises(PeerError, match="FloatingPointError: too many"):
            child.seconds(1)  # the first call, two, and this one
    finally:
        child.close()


def test_a_child_that_dies_says_its_last_words(checkout: Path) -> None:
    (checkout / "agents" / "qgf.py").write_text(
        "import os, sys\nprint('gone', file=sys.stderr, flush=True)\nos._exit(3)"
    )
    with pytest.raises(PeerError, match="ended with code 3: gone"):
        Child(Peer("qgf", sys.executable, str(checkout)), ROWS["qgf-128"].sizes)


def test_both_are_timed_in_turn() -> None:
    order: list[str] = []

    def way(name: str, speed: float):
        def seconds(count: int) -> tuple[float, float]:
            order.append(name)
            return count * speed, 2 * count * speed

        return seconds

    found = in_turn([way("theirs", 0.01), way("ours", 0.02)], turns=3, at_least=0.1)
    assert order[2:] == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert np.array(found) == pytest.approx(np.array([[[0.01, 0.02]] * 3, [[0.02, 0.04]] * 3]))


def test_the_table_says_what_was_and_was_not_timed(checkout: Path, monkeypatch, capsys) -> None:
    options = [
        "--qgf",
        str(checkout),
        "--rows",
        "act-128-1",
        "qgf-128",
        "vgf-1-joint",
        "--turns",
        "2",
        "--seconds",
        "0.001",
    ]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "peers", *options])
    run()
    printed = capsys.readouterr().out
    assert "QGF act, 128×2, 1 state" in printed
    assert "qgf: jax of the test" in printed
    assert "not timed: qgf-128 (FloatingPointError: too many), vgf-1-joint" in printed


def test_without_a_peer_it_says_what_to_give(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "peers", "--rows", "qgf-128"])
    with pytest.raises(SystemExit, match="--qgf DIR and --vgf DIR"):
        run()
    monkeypatch.setattr(sys, "argv", ["benchmarks", "peers", "--vgf", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"no agents/vgf\.py"):
        run()
