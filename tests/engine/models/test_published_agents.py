"""Agents of the published codes whose nets are called otherwise: which net becomes which part, and what is left out."""

import numpy as np
import pytest
import torch
from engine.published_trees import dense

from workbench.engine.models.published.load import read_published

S, D, HIDDEN = 3, 2, (8, 6)


def trunk(net: str, inputs: int, seed: int) -> dict[str, np.ndarray]:
    """A flow of QGF's code: MLP_0 and Dense_0."""
    rng = np.random.default_rng(seed)
    return dense(f"{net}.MLP_0", (inputs, *HIDDEN), 1, 0, rng) | dense(net, (HIDDEN[-1], D), 1, 0, rng)


def mlp(
    net: str, widths: tuple[int, ...], members: int = 1, norms: int = 0, seed: int = 0, one: bool = False
) -> dict[str, np.ndarray]:
    """An MLP, or the one Dense that stands without a number."""
    found = dense(net, widths, members, norms, np.random.default_rng(seed))
    return {name.replace(".Dense_0", ""): array for name, array in found.items()} if one else found


def critics(members: int) -> dict[str, np.ndarray]:
    names = ("critic", "target_critic")
    return {k: v for n in names for k, v in mlp(f"{n}.value_net", (S + D, *HIDDEN, 1), members, 2, len(n)).items()}


RAW, EMBEDDED = S + D + 1, S + D + 16
# By agent: layout, nets, the time's input, the parts beyond flow and critics, what is left out.
AGENTS = {
    "avgf": (
        "B", mlp("actor_bc.mlp", (RAW, *HIDDEN, D)) | mlp("q_grad.mlp", (S + D, *HIDDEN, D), norms=2),
        "raw", {"value_gradient"}, (),
    ),
    "ifql": (
        "A", mlp("actor_flow.mlp", (RAW, *HIDDEN, D)) | mlp("value.value_net", (S, *HIDDEN, 1), norms=2),
        "raw", {"value"}, (),
    ),
    "qgf's fql": ("A", trunk("actor_bc_flow", RAW, 1) | trunk("actor_onestep_flow", S + D, 2), "raw", {"one_step"}, ()),
    "dsrl": (
        "A",
        trunk("actor_bc_flow", RAW, 1) | trunk("target_actor_bc_flow", RAW, 2) | mlp("actor.actor_net", (S, *HIDDEN), norms=0)
        | mlp("actor.mean_net", (HIDDEN[-1], D), one=True) | mlp("actor.log_std_net", (HIDDEN[-1], D), one=True)
        | mlp("z_critic.value_net", (S + D, *HIDDEN, 1), 10, 2) | {"alpha.log_value": np.zeros((), "f4")},
        "raw", {"noise_policy"}, ("actor_bc_flow", "alpha", "z_critic"),
    ),
    "fawac": ("A", trunk("actor", RAW, 1), "raw", {"fawac_flow"}, ()),
    "fbrac": ("A", trunk("actor_flow", RAW, 1), "raw", {"fbrac_flow"}, ()),
    "iql_diffusion": ("A", trunk("actor", EMBEDDED, 1), "sinusoidal", {"iql_flow"}, ()),
    "qam": ("A", trunk("actor_slow", RAW, 1) | trunk("actor_fast", RAW, 2), "raw", {"adjoint_flow"}, ()),
    "robust_q": (
        "B", trunk("policy", EMBEDDED, 1) | mlp("robust_critic.value_net", (EMBEDDED, *HIDDEN, 1), 2, 2),
        "sinusoidal", set(), ("robust_critic",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("members", [2, 10])
def test_nets_find_their_parts(agent: str, members: int) -> None:
    layout, nets, time, extra, left_out = AGENTS[agent]
    arrays = {}
    for name, array in (nets | critics(members)).items():
        net, _, path = name.partition(".")
        top = f"agent.network.params.modules_{net}" if layout == "A" else f"agent.{net}.params"
        arrays[f"{top}.{path}"] = array.astype("f4")
    found = read_published(arrays)
    assert set(found.descriptions) == {"reference", "critic", "target_critic"} | extra
    assert found.left_out == left_out
    assert (found.observation_dim, found.action_dim, found.descriptions["reference"].time) == (S, D, time)
    assert found.descriptions["critic"].members == members
    parts = found.parts()
    rows, actions, t = torch.randn(5, S), torch.rand(5, D), torch.rand(5)
    assert parts.reference(rows, actions, t).shape == (5, D)
    for name in extra - {"value"}:
        inputs = (rows, actions, t) if name.endswith("_flow") else (rows, actions)
        assert parts.extra[name](*inputs).shape == (5, D)


def test_dsrl_decodes_by_the_average() -> None:
    nets = AGENTS["dsrl"][1]
    found = read_published({f"agent.network.params.modules_{name}": array for name, array in nets.items()}, "qgf")
    expected = torch.from_numpy(nets["target_actor_bc_flow.Dense_0.bias"].astype("f4"))
    assert torch.equal(found.arrays["reference"]["2.bias"].flatten(), expected)


def test_a_steered_flow_is_the_behaviour_flow_s_own_net() -> None:
    nets = AGENTS["fbrac"][1]
    found = read_published({f"agent.network.params.modules_{name}": array for name, array in nets.items()}, "qgf")
    assert found.arrays["fbrac_flow"] is found.arrays["reference"]


def test_dsrl_plays_the_imported_noise_policy() -> None:
    """By hand: tanh of mean plus deviation times noise, from the two heads of the file."""
    nets = {name: array.astype("f4") for name, array in (AGENTS["dsrl"][1] | critics(2)).items()}
    parts = read_published({f"agent.network.params.modules_{n}": a for n, a in nets.items()}, "qgf").parts()
    rows, noise = torch.randn(5, S), torch.randn(5, D)
    h = rows
    for i in range(len(HIDDEN)):
        kernel, bias = (torch.from_numpy(nets[f"actor.actor_net.Dense_{i}.{key}"]) for key in ("kernel", "bias"))
        h = torch.nn.functional.gelu(h @ kernel + bias, approximate="tanh")
    mean, log_std = (
        h @ torch.from_numpy(nets[f"actor.{head}.kernel"]) + torch.from_numpy(nets[f"actor.{head}.bias"])
        for head in ("mean_net", "log_std_net")
    )
    expected = torch.tanh(mean + log_std.clamp(-5, 2).exp() * noise)
    torch.testing.assert_close(parts.extra["noise_policy"](rows, noise), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("head", ["mean_net.kernel", "log_std_net.bias"])
def test_a_noise_policy_without_a_head_is_refused(head: str) -> None:
    nets = {name: array for name, array in AGENTS["dsrl"][1].items() if name != f"actor.{head}"}
    with pytest.raises(ValueError, match=rf"no array named '.*modules_actor.{head}'; these weights are not complete"):
        read_published({f"agent.network.params.modules_{n}": a for n, a in nets.items()}, "qgf")
