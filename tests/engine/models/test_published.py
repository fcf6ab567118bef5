"""Published weights that do not fit are refused in words; that those that do reproduce the papers is tests/parity."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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


def fql_weights() -> dict[str, np.ndarray]:
    """An FQL flow and two critics, S = 3, D = 2, two hidden layers of 8."""
    rng = np.random.default_rng(0)
    shapes = {
        "actor_bc_flow.mlp": [(6, 8), (8, 8), (8, 2)],
        "critic.value_net": [(2, 5, 8), (2, 8, 8), (2, 8, 1)],
    }
    arrays = {}
    for net, layers in shapes.items():
        for i, shape in enumerate(layers):
            arrays[f"params.{net}.Dense_{i}.kernel"] = rng.normal(size=shape)
            arrays[f"params.{net}.Dense_{i}.bias"] = rng.normal(size=(*shape[:-2], shape[-1]))
            if net.startswith("critic") and i < 2:
                for name in ("scale", "bias"):
                    arrays[f"params.{net}.LayerNorm_{i}.{name}"] = rng.normal(size=(2, 8))
    return arrays


def gelu(x: np.ndarray) -> np.ndarray:
    result: np.ndarray = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return result


def test_fql_by_hand() -> None:
    """Tanh GELU, raw time; the critics' LayerNorm after it."""
    w, rng = fql_weights(), np.random.default_rng(1)
    s, a, t = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), rng.uniform(size=5)
    parts = load_published(w, "fql")
    inputs = [torch.tensor(x, dtype=torch.float32) for x in (s, a, t)]
    x = np.concatenate([s, a, t[:, None]], 1)
    for i in range(3):
        x = x @ w[f"params.actor_bc_flow.mlp.Dense_{i}.kernel"] + w[f"params.actor_bc_flow.mlp.Dense_{i}.bias"]
        x = gelu(x) if i < 2 else x
    assert parts.reference(*inputs).detach().numpy() == pytest.approx(x, abs=1e-4)
    assert parts.critic is not None
    q = np.concatenate([s, a], 1)[None]
    for i in range(3):
        q = q @ w[f"params.critic.value_net.Dense_{i}.kernel"] + w[f"params.critic.value_net.Dense_{i}.bias"][:, None]
        if i < 2:
            q = gelu(q)
            q = (q - q.mean(-1, keepdims=True)) / np.sqrt(q.var(-1, keepdims=True) + 1e-6)
            norm = f"params.critic.value_net.LayerNorm_{i}"
            q = q * w[f"{norm}.scale"][:, None] + w[f"{norm}.bias"][:, None]
    assert parts.critic(*inputs[:2]).detach().numpy() == pytest.approx(q[..., 0], abs=1e-3)
    relu = load_published(w, "fql", activation="relu")
    assert not torch.allclose(relu.reference(*inputs), parts.reference(*inputs), atol=0.1)
    assert relu.critic is not None
    assert not torch.allclose(relu.critic(*inputs[:2]), parts.critic(*inputs[:2]), atol=0.1)


def test_names_of_a_whole_checkpoint(tmp_path: Path) -> None:
    """By the lines that docs/bring_your_own.md gives for the environment that wrote a pickle."""
    page = (Path(__file__).resolve().parents[3] / "docs/bring_your_own.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(next(block for block in page.split("```") if "def named(" in block).removeprefix("python"), names)  # noqa: S102
    for family, weights_of in (("fql", fql_weights()), ("qgf", weights())):
        tree: dict[str, Any] = {}
        for name, array in weights_of.items():
            net, *rest = name.removeprefix("params.").split(".")
            top = ["agent", "network", "params", f"modules_{net}"] if family == "fql" else ["agent", net, "params"]
            at = tree
            for key in [*top, *rest[:-1]]:
                at = at.setdefault(key, {})
            at[rest[-1]] = array
        tree["agent"]["rng"] = np.zeros(2, dtype=np.uint32)
        np.savez(tmp_path / "weights.npz", **names["named"](tree))
        loaded, direct = load_published(tmp_path / "weights.npz", family), load_published(weights_of, family)
        row = torch.ones(1, direct.observation_dim), torch.ones(1, 2), torch.full((1,), 0.3)
        assert torch.equal(loaded.reference(*row), direct.reference(*row))


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_told_the_way(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "params_1000.pkl"
    path.write_bytes(pickle.dumps({"agent": {"step": 1}}, protocol=protocol))
    with pytest.raises(ValueError, match=r"params_1000\.pkl .*docs/bring_your_own\.md") as caught:
        load_published(path, "qgf")
    assert "allow_pickle" not in str(caught.value)


def test_what_the_arrays_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"looks like family 'fql' with prefix='params\.'"):
        load_published(fql_weights(), "vgf")
    with pytest.raises(ValueError, match="activation must be one of relu, gelu, got 'mish'"):
        load_published(fql_weights(), "fql", activation="mish")  # type: ignore[arg-type]
    renamed = {name.replace("actor_bc_flow", "actor_bc"): array for name, array in fql_weights().items()}
    normed = renamed | {f"params.actor_bc.mlp.LayerNorm_0.{name}": np.ones(8) for name in ("scale", "bias")}
    with pytest.raises(ValueError, match="layer 0 has LayerNorm, which this family does not have there"):
        load_published(normed, "vgf")
    without = {name: array for name, array in fql_weights().items() if "LayerNorm_1" not in name}
    with pytest.raises(ValueError, match="layer 1 of 'critic' has bias, kernel, this family needs kernel, bias, scale"):
        load_published(without, "fql")
