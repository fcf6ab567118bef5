"""Published weights that do not fit are refused in words; that those that do reproduce the papers is tests/parity."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from engine.published_trees import FAMILIES, full_names, nets_of, tree_of
from safetensors.numpy import save_file

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
        (
            {"MLP_0.Dense_0.bias": np.zeros(3)},
            r"MLP_0.Dense_0.bias' has shape \(3,\), its neighbours ask for \(1, 1, 8\)",
        ),
        ({"MLP_0.Dense_0.bias": None}, r"no array named 'params\.policy\.MLP_0\.Dense_0\.bias'"),
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
    with pytest.raises(ValueError, match=r"cut\.npz is no complete npz archive"):
        load_published(cut, "qgf")
    with pytest.raises(ValueError, match=r"single\.npy is a single array \(\.npy\)"):
        load_published(single, "qgf")


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


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_read_strictly(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "params_1000.pkl"
    path.write_bytes(pickle.dumps({"agent": {"step": 1}}, protocol=protocol))
    with pytest.raises(ValueError, match=r"params_1000\.pkl.*no array named.*docs/bring_your_own\.md") as caught:
        load_published(path, "qgf")
    assert "allow_pickle" not in str(caught.value)
    path.write_bytes(pickle.dumps(tree_of("qgf", (4, 2, (8, 8), 2)), protocol=protocol))
    assert load_published(path).available() == ("reference", "critic", "target_critic", "value")


def test_what_the_arrays_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"these look like weights of family 'fql'"):
        load_published(fql_weights(), "vgf")
    moved = {f"ckpt.{name}": array for name, array in fql_weights().items()}
    with pytest.raises(ValueError, match=r"looks like family 'fql' with prefix='ckpt\.params\.'"):
        load_published(moved, "fql", prefix="weights.")
    with pytest.raises(ValueError, match="activation must be one of relu, gelu, mish, got 'tanh'"):
        load_published(fql_weights(), "fql", activation="tanh")  # type: ignore[arg-type]
    renamed = {name.replace("actor_bc_flow", "actor_bc"): array for name, array in fql_weights().items()}
    normed = renamed | {f"params.actor_bc.mlp.LayerNorm_0.{name}": np.ones(8) for name in ("scale", "bias")}
    with pytest.raises(ValueError, match="layer 0 has LayerNorm, which this family does not have there"):
        load_published(normed, "vgf")
    without = {name: array for name, array in fql_weights().items() if "LayerNorm_1" not in name}
    with pytest.raises(
        ValueError,
        match=r"critic\.value_net' \(family fql\): layer 1 lacks LayerNorm, which this family has there",
    ):
        load_published(without, "fql")


SIZES = (4, 2, (8, 6), 3)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_types_and_orders_of_weights(family: str, dtype: str, tmp_path: Path) -> None:
    """Half precision is exact in float32, float64 is rounded; big-endian and Fortran order are no other numbers."""
    nets = {name: array.astype("f2") for name, array in nets_of(family, SIZES).items()}
    direct = load_published(full_names(family, nets), family)
    arrays = {name: np.asfortranarray(array.astype(dtype)) for name, array in full_names(family, nets).items()}
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays)
    parts = load_published(path)
    rows, actions, t = torch.randn(5, 4), torch.rand(5, 2), torch.rand(5)
    assert torch.equal(parts.reference(rows, actions, t), direct.reference(rows, actions, t))
    assert parts.critic is not None
    assert direct.critic is not None
    assert torch.equal(parts.critic(rows, actions), direct.critic(rows, actions))
    if dtype in ("<f4", "<f2", "<f8"):
        save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, tmp_path / "weights.safetensors")
        again = load_published(tmp_path / "weights.safetensors")
        assert again.critic is not None
        assert torch.equal(again.critic(rows, actions), direct.critic(rows, actions))


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_without_layernorm_and_of_one_member(family: str) -> None:
    nets = {name: a for name, a in nets_of(family, (3, 2, (8, 8), 1)).items() if "LayerNorm" not in name}
    parts = load_published(full_names(family, nets))
    rows, actions = torch.randn(5, 3), torch.rand(5, 2)
    act = gelu if family != "vgf" else lambda x: np.maximum(x, 0)
    q = torch.cat((rows, actions), 1).double().numpy()
    for i in range(3):
        q = q @ nets[f"critic.value_net.Dense_{i}.kernel"] + nets[f"critic.value_net.Dense_{i}.bias"]
        q = act(q) if i < 2 else q
    assert parts.critic is not None
    assert parts.critic(rows, actions).shape == (1, 5)
    assert parts.critic(rows, actions)[0].detach().numpy() == pytest.approx(q[:, 0], abs=1e-5)


def test_fql_flow_with_layernorm() -> None:
    """Its setting actor_layer_norm: after the activation there too."""
    nets = nets_of("fql", (3, 2, (8, 8), 2))
    rng = np.random.default_rng(5)
    for i in range(2):
        for key in ("scale", "bias"):
            nets[f"actor_bc_flow.mlp.LayerNorm_{i}.{key}"] = rng.normal(size=8).astype("f4")
    parts = load_published(full_names("fql", nets))
    rows, actions, t = torch.randn(5, 3), torch.rand(5, 2), torch.rand(5)
    x = torch.cat((rows, actions, t[:, None]), 1).double().numpy()
    for i in range(3):
        x = x @ nets[f"actor_bc_flow.mlp.Dense_{i}.kernel"] + nets[f"actor_bc_flow.mlp.Dense_{i}.bias"]
        if i < 2:
            x = gelu(x)
            x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
            x = x * nets[f"actor_bc_flow.mlp.LayerNorm_{i}.scale"] + nets[f"actor_bc_flow.mlp.LayerNorm_{i}.bias"]
    assert parts.reference(rows, actions, t).detach().numpy() == pytest.approx(x, abs=1e-4)


@pytest.mark.parametrize(
    ("net", "words"),
    [
        ("modules_actor.actor_net.Dense_0.kernel", r"a Gaussian policy \(iql, rebrac, sac\)"),
        ("modules_actor.Embed_0.embedding", r"conditioned on a label \(cfgrl\)"),
        ("modules_actor.encoder.MLP_0.Dense_0.kernel", "sees images through an encoder"),
    ],
)
def test_policies_without_a_flow_are_told_what_they_are(net: str, words: str) -> None:
    arrays = {f"agent.network.params.{net}": np.zeros((3, 3), "f4")}
    with pytest.raises(ValueError, match=words):
        load_published(arrays)
    for inner in ("MLP_0.Dense_0", "Dense_0"):  # cfgrl and dcgql have these beside it
        arrays |= {
            f"agent.network.params.modules_actor.{inner}.{key}": np.zeros((3, 3), "f4") for key in ("kernel", "bias")
        }
    for family in (None, "qgf"):
        with pytest.raises(ValueError, match=words):
            load_published(arrays, family)  # type: ignore[arg-type]


def test_settings_of_another_agent() -> None:
    """FQL's weights under VGF's names would act with another activation: its settings tell."""
    renamed = {name.replace("actor_bc_flow", "actor_bc"): array for name, array in fql_weights().items()}
    with pytest.raises(
        ValueError, match=r"say agent 'fql', which is no agent of family 'vgf': the names .* were changed"
    ):
        load_published(renamed, config={"agent": {"agent_name": "fql"}})
    for agent in ("fql", "ifql", "my_own"):
        assert load_published(fql_weights(), config={"agent_name": agent}).action_dim == 2


def test_qgf_agents_of_one_network() -> None:
    """FBRAC's published numbers: raw time, three critics, nets called otherwise."""
    with np.load(Path(__file__).parent / "published/fbrac_c1.npz", allow_pickle=False) as archive:
        z = {name: np.asarray(archive[name]) for name in archive.files}
    nets = {name.removeprefix("params."): array for name, array in z.items() if name.startswith("params.")}
    tree = {f"agent.network.params.modules_{name}": array for name, array in nets.items()}
    parts = load_published(tree, discount=0.9, chunk=3, reward_scale=2.0)
    assert (parts.discount, parts.chunk, parts.reward_scale) == (0.9, 3, 2.0)
    s, a = (torch.from_numpy(z[f"in.{name}"]) for name in ("observations", "actions"))
    x = (1 - z["in.bc_t"]) * z["in.bc_x0"] + z["in.bc_t"] * z["in.actions"]
    v = parts.reference(s, torch.from_numpy(x), torch.from_numpy(z["in.bc_t"][:, 0])).detach().numpy()
    assert v == pytest.approx(z["out.velocity"], abs=1e-5)
    assert parts.critic is not None
    assert parts.critic(s, a).detach().numpy() == pytest.approx(z["out.q_online"], abs=1e-5)
