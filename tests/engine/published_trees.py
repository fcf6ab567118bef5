"""Checkpoints of the published codes as nested dicts of NumPy arrays, with made-up weights of any size."""

from itertools import pairwise
from typing import Any

import numpy as np

FAMILIES = ("vgf", "qgf", "fql")
Sizes = tuple[int, int, tuple[int, ...], int]  # S, D, hidden, K


def dense(
    name: str, widths: tuple[int, ...], members: int, norms: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """An MLP's arrays by name; the first ``norms`` hidden layers have LayerNorm, members stand first when there are several."""
    lead = (members,) if members > 1 else ()
    arrays: dict[str, np.ndarray] = {}
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        arrays[f"{name}.Dense_{i}.kernel"] = rng.normal(size=(*lead, n_in, n_out)) / np.sqrt(n_in)
        arrays[f"{name}.Dense_{i}.bias"] = 0.3 * rng.normal(size=(*lead, n_out))
        if i < norms:
            arrays[f"{name}.LayerNorm_{i}.scale"] = 1 + 0.2 * rng.normal(size=(*lead, n_out))
            arrays[f"{name}.LayerNorm_{i}.bias"] = 0.3 * rng.normal(size=(*lead, n_out))
    return arrays


def nets_of(family: str, sizes: Sizes, seed: int = 0) -> dict[str, np.ndarray]:
    """All weights of an agent, by ``<net>.<path>``, as float32."""
    s, d, hidden, members = sizes
    rng, n = np.random.default_rng(seed), len(hidden)
    arrays: dict[str, np.ndarray] = {}
    if family == "qgf":
        trunk = dense("policy.MLP_0", (s + d + 16, *hidden), 1, n - 1, rng)
        arrays |= trunk | dense("policy", (hidden[-1], d), 1, 0, rng)
    elif family == "vgf":
        arrays |= dense("actor_bc.mlp", (s + d + 1, *hidden, d), 1, 0, rng)
    else:
        arrays |= dense("actor_bc_flow.mlp", (s + d + 1, *hidden, d), 1, 0, rng)
        arrays |= dense("actor_onestep_flow.mlp", (s + d, *hidden, d), 1, 0, rng)
    for name in ("critic", "target_critic"):
        arrays |= dense(f"{name}.value_net", (s + d, *hidden, 1), members, n, rng)
    if family != "fql":
        arrays |= dense("value.value_net", (s, *hidden, 1), 1, n, rng)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def tree_from(family: str, nets: dict[str, np.ndarray]) -> dict[str, Any]:
    """The checkpoint's nested dict with these weights, an optimiser's state beside them."""
    tree: dict[str, Any] = {"agent": {"rng": np.array([0, 7], dtype=np.uint32)}}
    for name, array in nets.items():
        net, *path = name.split(".")
        place = ["network", "params", f"modules_{net}"] if family == "fql" else [net, "params"]
        at = tree["agent"]
        for key in [*place, *path[:-1]]:
            at = at.setdefault(key, {})
        at[path[-1]] = array
    for state in [tree["agent"][key] for key in tree["agent"] if key != "rng"]:
        state["step"] = np.array(1200, dtype=np.int32)
        state["opt_state"] = {"0": {"count": np.array(1200, np.int32), "mu": state["params"]}, "1": {}}
    if family != "fql":
        tree["agent"]["target_critic"]["opt_state"] = None
    return tree


def tree_of(family: str, sizes: Sizes, seed: int = 0) -> dict[str, Any]:
    """A checkpoint of that family."""
    return tree_from(family, nets_of(family, sizes, seed))


def full_names(family: str, nets: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights by the names that the export script gives them."""
    found = {}
    for name, array in nets.items():
        net, _, path = name.partition(".")
        top = f"agent.network.params.modules_{net}" if family == "fql" else f"agent.{net}.params"
        found[f"{top}.{path}"] = array
    return found
