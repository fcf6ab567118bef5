"""``workbench convert | import``: what is printed, what is refused, and weights of torch by a mapping."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands.running import Command, check, everything
from engine.published_trees import tree_of
from safetensors.torch import save_file
from torch import nn

import workbench as wb
from workbench.engine.models.published.script import export_script


def checkpoint(family: str = "qgf") -> Path:
    path = Path("params_300.pkl")
    path.write_bytes(pickle.dumps(tree_of(family, (4, 2, (8, 8), 2))))
    return path


def test_the_script_is_printed_and_written(command: Command, inside: Path) -> None:
    assert command("convert", "--script").out == export_script()
    done = command("convert", "--script", "--out", "export_checkpoint.py")
    assert done.code == 0
    assert "workbench import weights.npz" in done.err
    assert Path("export_checkpoint.py").read_text(encoding="utf-8") == export_script()
    check(command("convert", "--script", "--out", "export_checkpoint.py"), "export_checkpoint.py exists")
    check(command("convert", "--script", "--out", "nowhere/x.py"), "the folder nowhere does not exist")
    check(command("convert"), "add --script")


def test_import_then_evaluate_and_steer(command: Command, inside: Path) -> None:
    done = command("import", checkpoint(), "--task", "three_exits", "--out", "run", "--discount", "0.9", "--json")
    assert done.code == 0, done
    assert done.json["family"] == "qgf"
    assert done.json["parts"]["critic"] == {
        "hidden": [8, 8],
        "members": 2,
        "activation": "gelu",
        "layer_norm": "before the activation",
    }
    assert done.json["settings"] == {"discount": 0.9, "chunk": 1, "reward_scale": 1.0, "flow_steps": 10}
    assert any("assumed: reward_scale = 1" in note for note in done.json["notes"])
    evaluated = command("evaluate", "run", "--rule", "qgf", "--episodes", "3", "--json")
    assert evaluated.code == 0, evaluated
    assert "imported without its dataset" in evaluated.err
    assert command("steer", "run", "--rule", "vgf", "--out", "a.npz", "--states", "2", "--particles", "4").code == 0
    check(command("fit", "three_exits", "--out", "run", "--resume"), "was imported, without what an optimiser needs")
    check(command("online", "run", "--out", "on", "--rule", "qgf"), "was imported")
    text = command("import", checkpoint("fql"), "--task", "three_exits", "--out", "second")
    assert "critic: 2 of 8 × 8, gelu, LayerNorm after the activation" in text.out
    assert "workbench evaluate second --rule qgf" in text.out


def test_refusals_leave_nothing(command: Command, inside: Path) -> None:
    path = checkpoint()
    Path("other.pkl").write_bytes(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04echo\x85R.")
    Path("cut.pkl").write_bytes(path.read_bytes()[:400])
    Path("bad.json").write_text("{")
    before = everything(inside)
    for flags, words in (
        ((path, "--task", "bandit2d"), ("params_300.pkl", "take observations of 4 numbers", "has 1")),
        (("other.pkl", "--task", "three_exits"), ("other.pkl", "posix.system", "refused", "convert --script")),
        (("cut.pkl", "--task", "three_exits"), ("cut.pkl", "cut off")),
        (("none.pkl", "--task", "three_exits"), ("none.pkl",)),
        ((path, "--task", "three_exits", "--config", "bad.json"), ("bad.json", "no JSON")),
        ((path, "--task", "three_exits", "--family", "fql"), ("weights of family 'qgf'",)),
        ((path, "--task", "three_exits", "--chunk", "0"), ("--chunk is 0",)),
        ((path, "--task", "three_exits", "--data", "nowhere"), ("nowhere",)),
    ):  # fmt: skip
        check(command("import", *flags, "--out", "run"), *words)
    assert everything(inside) == before


class Torch(nn.Module):
    """A policy in somebody's own torch code: a flow with raw time and two critics, LayerNorm before ReLU."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.flow = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 2))
        self.q = nn.ModuleList(
            nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16, eps=1e-6), nn.ReLU(), nn.Linear(16, 1)) for _ in range(2)
        )


MAPPING: dict[str, Any] = {
    "activation": "relu",
    "arrays": {f"reference.{i}.{key}": f"flow.{2 * i}.{key}" for i in range(3) for key in ("weight", "bias")}
    | {f"critic.0.{key}": [f"q.{k}.0.{key}" for k in range(2)] for key in ("weight", "bias")}
    | {
        f"critic.0.{ours}": [f"q.{k}.1.{key}" for k in range(2)]
        for ours, key in (("scale", "weight"), ("shift", "bias"))
    }
    | {f"critic.1.{key}": [f"q.{k}.3.{key}" for k in range(2)] for key in ("weight", "bias")},
}


@pytest.mark.parametrize("suffix", ["pt", "safetensors", "npz"])
def test_torch_weights_by_a_mapping(suffix: str, command: Command, inside: Path) -> None:
    module, file = Torch(), f"weights.{suffix}"
    with torch.no_grad():
        for layer in module.q:
            layer[1].weight.uniform_(0.5, 1.5)  # type: ignore[index]
            layer[1].bias.uniform_(-0.5, 0.5)  # type: ignore[index]
    if suffix == "pt":
        torch.save(module.state_dict(), file)
    elif suffix == "npz":
        np.savez(file, **{name: array.numpy() for name, array in module.state_dict().items()})
    else:
        save_file(module.state_dict(), file)
    Path("map.json").write_text(json.dumps(MAPPING))
    done = command("import", file, "--task", "three_exits", "--out", "run", "--mapping", "map.json")
    assert done.code == 0, done
    parts = wb.load_run("run").parts()
    s, a, t = torch.randn(5, 4), torch.rand(5, 2), torch.rand(5)
    with torch.no_grad():
        assert torch.allclose(parts.reference(s, a, t), module.flow(torch.cat((s, a, t[:, None]), 1)), atol=1e-6)
        q = torch.stack([layer(torch.cat((s, a), 1))[:, 0] for layer in module.q])
        assert parts.critic is not None
        assert torch.allclose(parts.critic(s, a), q, atol=1e-6)


def test_mappings_that_do_not_fit(command: Command, inside: Path) -> None:
    torch.save(Torch().state_dict(), "weights.pt")
    arrays = MAPPING["arrays"]
    for change, words in (
        ({"activation": "swish"}, ("'activation'", "'swish'")),
        ({"arrays": {}}, ("'arrays'",)),
        ({"arrays": arrays | {"reference.0.weight": "flow.9.weight"}}, ("has no array 'flow.9.weight'", "it has flow.0.bias")),
        ({"arrays": arrays | {"flow.0.weight": "flow.0.weight"}}, ("'flow.0.weight' is no layer of a part",)),
        ({"arrays": arrays | {"reference.0.weight": "flow.0.bias"}}, ("(out, in) was expected",)),
        ({"arrays": arrays | {"critic.0.weight": ["q.0.0.weight", "flow.0.weight"]}}, ("different shapes",)),
        ({"arrays": arrays | {"critic.0.weight": []}}, ("or of none",)),
        ({"arrays": {k: v for k, v in arrays.items() if not k.startswith("reference")}}, ("'reference.0.weight'",)),
        ({"arrays": {k: v for k, v in arrays.items() if k != "critic.1.bias"}}, ("no array named 'critic.Dense_1.bias'",)),
        ({"weights": "in, out"}, ("reference", "neighbours")),
    ):  # fmt: skip
        Path("map.json").write_text(json.dumps(MAPPING | change))
        done = command("import", "weights.pt", "--task", "three_exits", "--out", "run", "--mapping", "map.json")
        check(done, *words)
    assert not Path("run").exists()


def test_torch_files_run_nothing(command: Command, inside: Path) -> None:
    Path("map.json").write_text(json.dumps(MAPPING))
    torch.save(Torch(), "whole.pt")
    done = command("import", "whole.pt", "--task", "three_exits", "--out", "run", "--mapping", "map.json")
    check(done, "whole.pt holds more than weights", "torch.save(module.state_dict()")
    torch.save(Torch().state_dict(), "weights.pt")
    done = command("import", "weights.pt", "--task", "three_exits", "--out", "run")
    check(done, "weights.pt", "no behaviour flow of a known code")


def test_without_a_simulator(command: Command, inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint for data that have no environment: the data alone are measured."""
    monkeypatch.setenv("WORKBENCH_DATASETS", str(inside / "datasets"))
    assert command("generate", "three_exits", "--out", "data", "--rows", "400").code == 0
    assert command("data", "add", "data/three_exits.npz", "--name", "mine").code == 0
    done = command("import", checkpoint(), "--task", "data/mine", "--out", "run")
    assert done.code == 0, done
    assert "no dataset given" not in done.err
    measured = command("measure", "offline", "run", "--rule", "qgf", "--json")
    assert measured.code == 0, measured
    assert measured.json["support"]["inside"] is not None
