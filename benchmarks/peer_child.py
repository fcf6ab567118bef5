"""A peer's own code, timed in its own interpreter: reads one request a line, answers each with one line of JSON.

Run by `benchmarks.peer`, under the Python that has what the peer needs; so nothing here imports the workbench. It warms up and
times what it is told, and does nothing in between, so that two programs can be timed in turn.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Call = Callable[[], Any]  # one update, or one decision; returns what has to be waited for


def batch_of(work: dict[str, Any], steps: int) -> dict[str, np.ndarray]:
    """One minibatch of random numbers; ``steps`` in a row where the peer's data come in sequences (0: they do not)."""
    rng, rows = np.random.default_rng(0), work["batch"]
    head = (rows,) if steps == 0 else (rows, steps)
    draw: Callable[..., np.ndarray] = lambda *size: rng.normal(size=size).astype(np.float32)  # noqa: E731
    batch = {
        "observations": draw(rows, work["observed"]),
        "actions": rng.uniform(-1, 1, (*head, work["acted"])).astype(np.float32),
        "next_observations": draw(*head, work["observed"]),
        "rewards": draw(*head),
        "masks": np.ones(head, np.float32),
    }
    return batch if steps == 0 else batch | {"valid": np.ones(head, np.float32)}


def qgf(work: dict[str, Any]) -> Call:
    """The QGF authors' agent: an update of all its networks, or guided actions."""
    module, jax = importlib.import_module("agents.qgf"), importlib.import_module("jax")
    config = module.get_config()
    hidden = tuple(work["hidden"])
    config.actor_hidden_dims, config.value_network_kwargs.hidden_dims = hidden, hidden
    config.denoise_steps, config.horizon_length = work["flow_steps"], work["chunk"]
    config.action_chunking = work["chunk"] > 1
    example = np.zeros((1, work["observed"]), np.float32), np.zeros((1, work["acted"]), np.float32)
    state = {"agent": module.QGFAgent.create(0, *example, config)}
    if work["kind"] == "update":
        batch = batch_of(work, work["chunk"])

        def update() -> Any:
            state["agent"], _ = state["agent"].update(batch)
            return state["agent"]

        return update
    observations = batch_of(work, work["chunk"])["observations"]
    key = jax.random.PRNGKey(0)
    return lambda: state["agent"].sample_actions(observations, seed=key, guidance_weight=0.3)


def vgf(work: dict[str, Any]) -> Call:
    """The VGF authors' agent: an update of its critic and its flow."""
    module = importlib.import_module("agents.vgf")
    config = module.get_config()
    config.value_hidden_dims = config.actor_hidden_dims = tuple(work["hidden"])
    config.vgf_particles, config.train_vgf_steps = work["particles"], work["transport_steps"]
    config.bc_flow_steps = work["flow_steps"]
    batch = batch_of(work, 0)
    state = {"agent": module.VGFAgent.create(0, batch["observations"][:1], batch["actions"][:1], config)}

    def update() -> Any:
        state["agent"], _ = state["agent"].update(batch)
        return state["agent"]

    return update


def torchrl(work: dict[str, Any]) -> Call:
    """TorchRL's IQL loss: two critics, a value and an actor, with Adam and the target's average."""
    torch, objectives = importlib.import_module("torch"), importlib.import_module("torchrl.objectives")
    modules, tensordict = importlib.import_module("torchrl.modules"), importlib.import_module("tensordict")
    nn, observed, acted = importlib.import_module("tensordict.nn"), work["observed"], work["acted"]

    def network(inputs: int, outputs: int) -> Any:
        norm = {"norm_class": torch.nn.LayerNorm, "norm_kwargs": [{"normalized_shape": w} for w in work["hidden"]]}
        cells = list(work["hidden"])
        return modules.MLP(
            in_features=inputs, out_features=outputs, num_cells=cells, activation_class=torch.nn.GELU, **norm
        )

    actor = modules.ProbabilisticActor(
        nn.TensorDictModule(
            torch.nn.Sequential(network(observed, 2 * acted), nn.NormalParamExtractor()),
            in_keys=["observation"],
            out_keys=["loc", "scale"],
        ),
        in_keys=["loc", "scale"],
        distribution_class=modules.TanhNormal,
    )
    critic = modules.ValueOperator(network(observed + acted, 1), in_keys=["observation", "action"])
    value = modules.ValueOperator(network(observed, 1))
    batch = {name: torch.from_numpy(array) for name, array in batch_of(work, 0).items()}
    data = tensordict.TensorDict(
        {
            "observation": batch["observations"],
            "action": batch["actions"],
            "next": {
                "observation": batch["next_observations"],
                "reward": batch["rewards"][:, None],
                "done": torch.zeros(work["batch"], 1, dtype=torch.bool),
                "terminated": torch.zeros(work["batch"], 1, dtype=torch.bool),
            },
        },
        [work["batch"]],
    )
    loss = objectives.IQLLoss(actor, critic, value_network=value, num_qvalue_nets=2, expectile=0.9)
    target = objectives.SoftUpdate(loss, tau=0.005)
    adam = torch.optim.Adam(loss.parameters(), lr=3e-4)

    def update() -> None:
        losses = loss(data)
        total = losses["loss_actor"] + losses["loss_qvalue"] + losses["loss_value"]
        adam.zero_grad()
        total.backward()
        adam.step()
        target.step()

    return update


PEERS: dict[str, Callable[[dict[str, Any]], Call]] = {"qgf": qgf, "vgf": vgf, "torchrl": torchrl}


def timed(call: Call, count: int) -> dict[str, float]:
    """Seconds of ``count`` calls, the last one finished: on the clock, and of all processors together."""
    start, spent, last = time.perf_counter(), time.process_time(), None
    for _ in range(count):
        last = call()
    if "jax" in sys.modules:
        sys.modules["jax"].block_until_ready(last)
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - spent}


def versions() -> str:
    names = ("jax", "flax", "torch", "torchrl")
    found = [(name, sys.modules.get(name)) for name in names]
    return ", ".join(f"{name} {vars(module).get('__version__', '')}".strip() for name, module in found if module)


def serve(requests: Any, answers: Any) -> None:
    """Answer requests until there are no more: first ``open``, then ``time`` as often as wanted."""
    call: Call | None = None
    answer: dict[str, Any]
    for line in requests:
        request = json.loads(line)
        try:
            if request["do"] == "open":
                if request["folder"]:
                    sys.path.insert(0, request["folder"])
                call = PEERS[request["peer"]](request["work"])
                answer = {**timed(call, 1), "about": versions()}  # of the first call, which compiles
            else:
                assert call is not None, "open comes first"
                answer = timed(call, request["count"])
        except Exception as error:  # another's code may raise anything: who asked says it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    # What the peer prints goes where errors go, so that the answers stay clean.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(sys.stdin, pipe)
