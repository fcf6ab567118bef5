"""A checkpoint of another code becomes a run: exported or read strictly, its actions are the published ones."""

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine.published_trees import FAMILIES, dense, full_names, nets_of, tree_from, tree_of
from runs.exported import export
from torch import Tensor

import workbench as wb
from workbench.engine.data.transitions import Transitions
from workbench.engine.models.parts import Parts
from workbench.engine.models.published.script import export_script
from workbench.engine.steering.noise import Noise
from workbench.engine.steering.run import act
from workbench.engine.tasks import registry
from workbench.engine.tasks.protocol import StepResult, TaskInfo
from workbench.engine.training.loop.checkpoint import CheckpointError
from workbench.engine.training.loop.checkpoint import resume as resume_trainer
from workbench.runs.importing import Imported, import_checkpoint
from workbench.runs.training import training_data

TESTS = Path(__file__).resolve().parents[1]
PARITY = {
    "qgf": TESTS / "parity/data/qgf_c1.npz",
    "vgf": TESTS / "parity/data/vgf_c1.npz",
    "fql": TESTS / "engine/models/published/fql_c1.npz",
}


class Still:
    """E environments whose state is drawn anew at each step; two steps an episode."""

    def __init__(self, count: int, seed: int, size: int) -> None:
        self.rng, self.shape, self.step_number = np.random.default_rng(seed), (count, size), 0

    def reset(self) -> np.ndarray:
        return self.rng.normal(size=self.shape).astype(np.float32)

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        self.step_number += 1
        done = np.full(len(active), self.step_number >= 2)
        no = np.zeros(len(active), dtype=bool)
        return StepResult(self.reset(), actions.sum(1).astype(np.float32), done, no, no)

    def close(self) -> None:
        pass


def task_of(s: int, d: int) -> type:
    """A task of S and D numbers."""

    class Made:
        info = TaskInfo(f"made_{s}_{d}", "Made up", s, d, 2, "two steps of noise")

        def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
            return {}

        def generate(self, rows: int | None, seed: int) -> Transitions:
            raise NotImplementedError

        def environments(self, count: int, seed: int) -> Still:
            return Still(count, seed, s)

    return Made


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], str]:
    """Make a task of S and D numbers; returns its name."""

    def add(s: int, d: int) -> str:
        kind = task_of(s, d)
        monkeypatch.setitem(registry.TASKS, kind.info.name, kind)
        return str(kind.info.name)

    return add


def close(ours: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= tolerance * max(1.0, float(theirs.abs().max()))


def noise_of(start: Tensor) -> Noise:
    return Noise(start, torch.full(start.shape[:2], 0.5))


def check_published_actions(family: str, parts: Parts, z: dict[str, Tensor]) -> None:
    """Actions of the run equal those of the published code, steered and not, and so do the critic's values."""
    states, after = z["in.observations"], z["in.next_observations"]
    assert parts.critic is not None
    assert parts.target_critic is not None
    for which, critic in (("online", parts.critic), ("target", parts.target_critic)):
        close(critic(states, z["in.actions"]), z[f"out.q_{which}"])
    if family == "fql":
        close(act(wb.make_rule("bc"), parts, states, noise_of(z["in.distill_noise"][:, None])), z["out.flow_actions"])
        close(act(wb.make_rule("fql"), parts, after, noise_of(z["in.next_noise"][:, None])), z["out.next_actions"])
    elif family == "qgf":
        for how in ("min", "mean"):
            for weight in ("0.0", "1.0", "5.0"):
                rule = wb.make_rule("qgf", weight=float(weight), aggregate=how)
                found = act(rule, parts, states, noise_of(z["in.sample_noise"][:, None]))
                close(found, z[f"out.sample_euler_{how}_w{weight}"])
    else:
        rows, steps = z["in.next_observations"].repeat_interleave(8, 0), int(z["cfg.bc_flow_steps"])
        bc = act(wb.make_rule("bc", flow_steps=steps), parts, rows, noise_of(z["in.particle_noise"][:, None]))
        close(bc, z["out.bc_particles"].flatten(0, 1))


@pytest.mark.parametrize("way", ["strict reader", "script, npz", "script, safetensors"])
@pytest.mark.parametrize("family", FAMILIES)
def test_published_actions_end_to_end(family: str, way: str, tmp_path: Path, made: Callable[[int, int], str]) -> None:
    """Nested arrays as flax has them → pickle → export or strict reader → import → steer: the published code's actions."""
    with np.load(PARITY[family], allow_pickle=False) as archive:
        z = {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}
    nets = {name.removeprefix("params."): a.numpy() for name, a in z.items() if name.startswith("params.")}
    file = tmp_path / "params_1000000.pkl"
    file.write_bytes(pickle.dumps(tree_from(family, nets)))
    flags = {"env_name": "made", "agent": {"agent_name": family, "discount": 0.995, "actor_hidden_dims": [64, 64]}}
    (tmp_path / "flags.json").write_text(json.dumps(flags))
    if way != "strict reader":
        file = export(file, tmp_path / f"weights.{way.partition(', ')[2]}")
        (tmp_path / "flags.json").unlink()  # the file has them
    wb.import_checkpoint(file, made(7, 3), tmp_path / "run")
    run = wb.load_run(tmp_path / "run")
    assert (run.config.discount, run.step, run.finished) == (0.995, 1200, True)
    check_published_actions(family, run.parts(), z)


SIZES = [(2, 1, (4,), 1), (5, 3, (16, 8), 2), (3, 2, (8, 16, 4, 12), 5), (1, 4, (6, 6, 6), 10)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("family", FAMILIES)
def test_architectures_are_found(
    family: str, sizes: tuple[int, int, tuple[int, ...], int], tmp_path: Path, made: Callable[[int, int], str]
) -> None:
    """Widths, layers, members; with two steps a chunk."""
    s, d, hidden, members = sizes
    whole = (s, 2 * d, hidden, members)
    path = tmp_path / "params_77.pkl"
    path.write_bytes(pickle.dumps(tree_of(family, whole, seed=3)))
    imported = import_checkpoint(
        path, made(s, d), tmp_path / "run", chunk=2, discount=0.9, reward_scale=3.0, flow_steps=4
    )
    run = wb.load_run(tmp_path / "run")
    assert imported.run.config == run.config
    assert (run.config.chunk, run.config.discount, run.config.reward_scale, run.config.flow_steps) == (2, 0.9, 3.0, 4)
    direct = wb.load_published(full_names(family, nets_of(family, whole, seed=3)), family)
    parts = run.parts()
    assert parts.available() == direct.available()
    assert (parts.chunk, parts.discount, parts.reward_scale) == (2, 0.9, 3.0)
    rows, t = torch.randn(6, s), torch.rand(6)
    actions = torch.rand(6, 2 * d) * 2 - 1
    assert torch.equal(parts.reference(rows, actions, t), direct.reference(rows, actions, t))
    for name in ("critic", "target_critic"):
        found = getattr(parts, name)(rows, actions)
        assert found.shape == (members, 6)
        assert torch.equal(found, getattr(direct, name)(rows, actions))
    trace = wb.steer(wb.make_rule("qgf", flow_steps=4), parts, rows, wb.draw_noise(6, 2, 2 * d, torch.Generator()))
    assert trace.actions.isfinite().all()


def test_evaluate_says_what_it_can(tmp_path: Path) -> None:
    """An imported run is evaluated as any other; without data its shift is at states of the behaviour flow."""
    imported = small(tmp_path, "qgf")
    parts = imported.run.parts()
    assert parts.behaviour_states is None
    result = wb.evaluate(wb.make_rule("qgf"), parts, wb.make_task("three_exits"), 4, 0).as_dict()
    assert np.isfinite(result["return"]["mean"])
    with pytest.raises(ValueError, match=r"imported without its dataset; import it again with --data"):
        training_data(imported.run)
    with pytest.raises(CheckpointError, match="was imported, without what an optimiser needs"):
        resume_trainer(imported.run, wb.make_task("three_exits").generate(100, 0))


def test_with_its_data(tmp_path: Path) -> None:
    task = wb.make_task("three_exits")
    from workbench.engine.tasks.storage import save_generated

    save_generated(task, tmp_path / "data", 300, 0)
    imported = small(tmp_path, "fql", data=tmp_path / "data")
    rows = training_data(imported.run)
    assert imported.run.fingerprint == rows.fingerprint()
    states = imported.run.parts().behaviour_states
    assert states is not None
    assert torch.equal(states, rows.sample_states(0))
    assert not [note for note in imported.notes if "dataset" in note]


def small(folder: Path, family: str, **changes: Any) -> Imported:
    """Import made-up weights for three_exits."""
    path = folder / "params_5.pkl"
    path.write_bytes(pickle.dumps(tree_of(family, (4, 2, (8, 8), 2))))
    return import_checkpoint(path, "three_exits", folder / "run", **changes)


@pytest.mark.parametrize(
    ("task", "sizes", "changes", "words"),
    [
        ("three_exits", (5, 2, (8,), 2), {}, r"observations of 5 numbers, task 'three_exits' has 4"),
        ("three_exits", (4, 6, (8,), 2), {}, r"act with 6 numbers, task 'three_exits' with 2 a step.*give --chunk 3"),
        ("three_exits", (4, 3, (8,), 2), {}, r"act with 3 numbers.*name the task"),
        ("three_exits", (4, 2, (8,), 2), {"chunk": 2}, r"a chunk is 2 steps; give --chunk 1"),
        ("three_exit", (4, 2, (8,), 2), {}, "three_exits"),
        ("three_exits", (4, 2, (8,), 2), {"discount": 1.5}, r"--discount is 1\.5; a number from 0 to 1"),
        ("three_exits", (4, 2, (8,), 2), {"chunk": 0}, r"--chunk is 0; a whole number from 1 to 100"),
        ("three_exits", (4, 2, (8,), 2), {"config": {"discount": "x"}}, r"'discount' is 'x'; a number"),
        ("three_exits", (4, 2, (8,), 2), {"config": {"agent": {"actor_hidden_dims": [512]}}}, r"settings are of another"),
        ("three_exits", (4, 2, (8,), 2), {"family": "vgf"}, r"no array named 'params\.actor_bc\.mlp.*weights of family 'qgf'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    task: str, sizes: tuple[int, int, tuple[int, ...], int], changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "params_5.pkl"
    path.write_bytes(pickle.dumps(tree_of("qgf", sizes)))
    with pytest.raises(ValueError, match=words):
        import_checkpoint(path, task, tmp_path / "run", **changes)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["params_5.pkl"]


def test_a_net_that_is_two_parts_is_kept_twice(tmp_path: Path, made: Callable[[int, int], str]) -> None:
    """FBRAC's only flow is behaviour flow and steered flow."""
    rng = np.random.default_rng(0)
    nets = dense("actor_flow.MLP_0", (3 + 2 + 1, 8), 1, 0, rng) | dense("actor_flow", (8, 2), 1, 0, rng)
    nets |= dense("critic.value_net", (3 + 2, 8, 1), 2, 1, rng)
    arrays = {f"agent.network.params.modules_{name}": array.astype("f4") for name, array in nets.items()}
    np.savez(tmp_path / "params_5.npz", **arrays)
    parts = import_checkpoint(tmp_path / "params_5.npz", made(3, 2), tmp_path / "run").run.parts()
    s, a, t = torch.randn(4, 3), torch.rand(4, 2), torch.rand(4)
    assert torch.equal(parts.reference(s, a, t), parts.extra["fbrac_flow"](s, a, t))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    small(tmp_path, "vgf")
    with pytest.raises(ValueError, match=r"run exists; choose another --out"):
        small(tmp_path, "vgf")


def test_the_settings_beside_it_and_given(tmp_path: Path) -> None:
    flags = {"agent": {"discount": 0.97, "denoise_steps": 7, "horizon_length": 5, "action_chunking": False}}
    (tmp_path / "flags.json").write_text(json.dumps(flags))
    config = small(tmp_path, "qgf").run.config
    assert (config.discount, config.flow_steps, config.chunk) == (0.97, 7, 1)
    (tmp_path / "run").rename(tmp_path / "first")
    given = small(tmp_path, "qgf", discount=0.5, config={"discount": 0.6, "reward_scale": 2})
    assert (given.run.config.discount, given.run.config.reward_scale, given.run.config.flow_steps) == (0.5, 2.0, 10)
    assert any("flow_steps = 10" in note for note in given.notes)


def test_normalisation_travels(tmp_path: Path) -> None:
    path = tmp_path / "params_5.pkl"
    path.write_bytes(pickle.dumps(tree_of("qgf", (4, 2, (8, 8), 2))))
    mean, std = np.array([1.0, -2.0, 0.5, 0.0]), np.array([2.0, 1.0, 0.1, 4.0])
    np.savez(tmp_path / "normalization.npz", mean=mean, std=std)
    plain = import_checkpoint(path, "three_exits", tmp_path / "plain").run.parts()
    exported = export(path, tmp_path / "weights.npz")
    scaled = import_checkpoint(exported, "three_exits", tmp_path / "run").run.parts()
    rows = torch.randn(5, 4)
    noise = wb.draw_noise(5, 1, 2, torch.Generator().manual_seed(0))
    again = rows * torch.tensor(std).float() + torch.tensor(mean).float()
    assert torch.allclose(
        act(wb.make_rule("qgf"), scaled, again, noise), act(wb.make_rule("qgf"), plain, rows, noise), atol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda r: r["imported"]["networks"]["critic"].update(after=1), "imported.networks.critic.after"),
        (lambda r: r["imported"]["networks"]["critic"].update(hidden=[2**19] * 64, normed=[True] * 64), r"critic\.0\.weight"),
        (lambda r: r["imported"]["networks"]["critic"].update(kind="value"), "described as a value"),
        (lambda r: r["imported"]["networks"].pop("reference"), "behaviour flow"),
        (lambda r: r["imported"]["networks"]["critic"].update(normed=[True]), "normed has 1 entries for 2"),
        (lambda r: r["imported"]["networks"].update(eval=r["imported"]["networks"]["critic"]), "'eval'"),
        (lambda r: r.pop("imported"), "'data' is missing"),
        (lambda r: r["imported"]["networks"]["value"].update(observation_dim=5), "other observations"),
    ],
)  # fmt: skip
def test_an_edited_record_is_refused(change: Callable[[dict[str, Any]], Any], words: str, tmp_path: Path) -> None:
    """With a seal that fits, as an attacker would make it."""
    from workbench.engine.training.loop.checkpoint import _seal

    small(tmp_path, "qgf")
    record = json.loads((tmp_path / "run/run.json").read_text())
    record.pop("seal")
    change(record)
    (tmp_path / "run/run.json").write_bytes(_seal(record))
    with pytest.raises(CheckpointError, match=words):
        wb.load_run(tmp_path / "run")


def test_the_script_reads_what_flax_and_orbax_write(tmp_path: Path) -> None:
    """Where these libraries are installed; elsewhere what is tested is that the script asks for nothing but NumPy."""
    text = export_script()
    compile(text, "export_checkpoint.py", "exec")
    top = set(re.findall(r"^(?:import|from) (\w+)", text, re.M))
    assert top <= {"json", "pickle", "sys", "pathlib", "numpy"}
    assert len(text.splitlines()) <= 55
