"""Small checkpoints as the three codes write them, by jax and flax themselves: run in an environment that has these.

    python tests/engine/models/published/make.py    # jax 0.10.2, flax 0.12.8, NumPy 2.4.6 wrote those that are here

Their weights are those of `engine.published_trees`, so that a test knows every number without reading a pickle.
"""

import pickle
import sys
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
from flax import serialization

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from engine.published_trees import FAMILIES, tree_of  # noqa: E402


def as_jax(tree: Any) -> Any:
    """The same nested dict with jax's arrays."""
    if isinstance(tree, dict):
        return {key: as_jax(value) for key, value in tree.items()}
    return jnp.asarray(tree) if hasattr(tree, "shape") else tree


for family in FAMILIES:
    tree = as_jax(tree_of(family, (3, 2, (8, 8), 2)))
    (HERE / f"{family}.pkl").write_bytes(pickle.dumps(tree))
    if family == "fql":
        (HERE / "fql.msgpack").write_bytes(serialization.to_bytes(tree))
        params = flax.core.FrozenDict(tree["agent"]["network"]["params"])
        half = jax.tree_util.tree_map(lambda a: a.astype(jnp.bfloat16), params)
        (HERE / "fql_frozen_bfloat16.pkl").write_bytes(pickle.dumps({"agent": {"network": {"params": half}}}))
