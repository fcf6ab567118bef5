"""What jax, flax and orbax themselves write: exported by the script in their environment, imported here.

They are no part of the test environment. ``WORKBENCH_JAX=…/bin/python`` names one that has jax, flax, orbax-checkpoint and
safetensors; without it these tests are skipped, and the pickles in tests/engine/models/published stand for it.
"""

import os
import subprocess
import textwrap
from pathlib import Path

import pytest
import torch
from engine.published_trees import FAMILIES, full_names, nets_of

import workbench as wb
from workbench.engine.models.published.script import export_script

TESTS = Path(__file__).resolve().parents[1]
PYTHON = os.environ.get("WORKBENCH_JAX", "")
SIZES = (4, 2, (8, 6), 2)
WRITE = textwrap.dedent("""
    import pickle, sys
    from pathlib import Path
    import jax, jax.numpy as jnp, orbax.checkpoint
    from flax import serialization
    from engine.published_trees import tree_of
    family, folder = sys.argv[1], Path(sys.argv[2])
    tree = jax.tree_util.tree_map(jnp.asarray, tree_of(family, (4, 2, (8, 6), 2)))
    (folder / "params_1.pkl").write_bytes(pickle.dumps(tree))
    (folder / "params.msgpack").write_bytes(serialization.to_bytes(tree))
    orbax.checkpoint.PyTreeCheckpointer().save(folder / "orbax", tree)
""")

pytestmark = pytest.mark.skipif(not PYTHON, reason="WORKBENCH_JAX names no environment with jax, flax and orbax")


def jax(*args: object) -> None:
    done = subprocess.run(
        [PYTHON, *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("family", FAMILIES)
def test_flax_orbax_and_pickle(family: str, tmp_path: Path) -> None:
    jax("-c", WRITE, family, tmp_path)
    (tmp_path / "export.py").write_text(export_script(), encoding="utf-8")
    direct = wb.load_published(full_names(family, nets_of(family, SIZES)), family)
    rows, actions, t = torch.randn(5, 4), torch.rand(5, 2), torch.rand(5)
    files = [tmp_path / "params_1.pkl"]
    for name in ("params_1.pkl", "params.msgpack", "orbax"):
        for suffix in ("npz", "safetensors"):
            files.append(tmp_path / f"{name}.{suffix}")
            jax(tmp_path / "export.py", tmp_path / name, files[-1])
    for file in files:
        parts = wb.import_checkpoint(file, "three_exits", tmp_path / f"run-{file.name}").run.parts()
        assert torch.equal(parts.reference(rows, actions, t), direct.reference(rows, actions, t))
        assert parts.target_critic is not None
        assert direct.target_critic is not None
        assert torch.equal(parts.target_critic(rows, actions), direct.target_critic(rows, actions))
