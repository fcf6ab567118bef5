"""Published weights that do not fit are refused in words; that those that do reproduce the papers is tests/parity."""

from pathlib import Path

import numpy as np
import pytest

from workbench.engine.models.published import load_published

POLICY = "params.policy."


def weights() -> dict[str, np.ndarray]:
    """A QGF flow with S = 4, D = 2 and one hidden layer of 8, without critics."""
    return {
        f"{POLICY}MLP_0.Dense_0.kernel": np.ones((4 + 2 + 16, 8)),
        f"{POLICY}MLP_0.Dense_0.bias": np.zeros(8),
        f"{POLICY}Dense_0.kernel": np.ones((8, 2)),
        f"{POLICY}Dense_0.bias": np.zeros(2),
    }


def test_missing_critics_are_left_out() -> None:
    parts = load_published(weights(), "qgf")
    assert parts.available() == ("reference",)
    assert (parts.observation_dim, parts.action_dim) == (4, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MLP_0.Dense_0.bias": np.zeros(3)}, r"layer 0 has 'bias' of shape \(3,\), its kernel asks for \(1, 1, 8\)"),
        ({"MLP_0.Dense_0.bias": None}, "layer 0 has no array for 'bias', which this family needs"),
        ({"MLP_0.Dense_0.kernel": np.zeros(3)}, r"must be \(in, out\) or \(K, in, out\), got \(3,\)"),
        ({"Dense_0.kernel": None}, "no array named 'params.policy.Dense_0.kernel'"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, np.ndarray | None], message: str) -> None:
    changed = weights() | {POLICY + name: array for name, array in change.items()}
    with pytest.raises(ValueError, match=message):
        load_published({name: array for name, array in changed.items() if array is not None}, "qgf")


def test_another_family() -> None:
    with pytest.raises(ValueError, match=r"no array named 'params.actor_bc.mlp.Dense_0.kernel'"):
        load_published(weights(), "vgf")
    with pytest.raises(ValueError, match="family must be one of vgf, qgf, fql, got 'iql'"):
        load_published(weights(), "iql")


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    whole, cut, single = (tmp_path / name for name in ("whole.npz", "cut.npz", "single.npy"))
    np.savez(whole, **weights())
    assert load_published(whole, "qgf").action_dim == 2
    cut.write_bytes(whole.read_bytes()[:300])
    np.save(single, np.zeros(3))
    for path in (cut, single):
        with pytest.raises(ValueError, match=f"{path.name} is no complete npz archive"):
            load_published(path, "qgf")
