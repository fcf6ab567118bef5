"""A critic of chunks on a chain whose values are known: what random walks earn, and the shortest way."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.training.config import make_config
from workbench.engine.training.loop.fit import fit
from workbench.engine.training.loop.trainer import Trainer

LENGTH = 6  # the chain's last state, where an episode is over
DISCOUNT = 0.9
CHUNK = 3
MOST = 11  # steps of an episode: no multiple of the chunk's
CHUNKS = list(product((-1.0, 1.0), repeat=CHUNK))


def played(state: int, chunk: tuple[float, ...]) -> tuple[float, float, int]:
    """Return, discount and last state of a chunk: each step costs 1, right is nearer to the end, which may come within it."""
    total, factor = 0.0, 1.0
    for action in chunk:
        total, factor, state = total - factor, factor * DISCOUNT, max(state + int(action), 0)
        if state == LENGTH:
            return total, 0.0, state
    return total, factor, state


def stored(state: int, chunk: tuple[float, ...]) -> bool:
    """Whether data can hold it: after an episode's end a chunk repeats its last action."""
    over = next((step for step in range(CHUNK) if played(state, chunk[: step + 1])[1] == 0.0), CHUNK)
    return len(set(chunk[over:])) <= 1


def solved(best: bool) -> np.ndarray:
    """Q (states, chunks) of the policy that plays the best chunk, or any of them alike."""
    q = np.zeros((LENGTH, len(CHUNKS)))
    for _ in range(300):
        value = [*(q.max(1) if best else q.mean(1)), 0.0]
        for state, (number, chunk) in product(range(LENGTH), enumerate(CHUNKS)):
            total, factor, last = played(state, chunk)
            q[state, number] = total + factor * value[last]
    return q


def walks() -> Transitions:
    """Random walks; those that take too long are cut off, and nothing is known of what their last chunks would have cost."""
    rng = np.random.default_rng(0)
    rows: list[tuple[float, ...]] = []
    for _ in range(800):
        state = int(rng.integers(0, LENGTH))
        for step in range(MOST):
            action = int(rng.choice((-1, 1)))
            after = max(state + action, 0)
            over = after == LENGTH
            rows.append((state, action, -1.0, 1.0 - over, after, over or step == MOST - 1))
            state = after
            if over:
                break
    s, a, r, m, n, e = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return make_transitions(s[:, None], a[:, None], r, m, n[:, None], e)


@pytest.mark.parametrize(
    ("actor", "settings"),
    [("bc", {}), ("best_of_n", {"particles": 24, "critic": "online", "pick_aggregate": "mean"})],
)
def test_it_learns_the_value_of_every_chunk(actor: str, settings: dict[str, Any]) -> None:
    """Ends within a chunk, cut-off episodes, γ^h at the bootstrap: the mean of all eight chunks, and the best one."""
    usual = {"hidden": (64, 64), "batch_size": 128, "steps": 1200, "learning_rate": 3e-3, "schedule": "cosine"}
    config = make_config(
        critic="td_actor",
        chunk=CHUNK,
        n_step=CHUNK,
        actor=actor,
        actor_settings=settings,
        target_aggregate="mean",
        discount=DISCOUNT,
        tau=0.05,
        flow_steps=5,
        **usual,
    )
    trainer = Trainer(walks(), config)
    for _ in fit(trainer):
        pass
    parts, exact = trainer.parts(), solved(actor != "bc")
    states = parts.normalize(torch.arange(LENGTH, dtype=torch.float32)[:, None]).repeat_interleave(len(CHUNKS), 0)
    assert parts.critic is not None
    with torch.no_grad():
        q = parts.critic(states, torch.tensor(CHUNKS * LENGTH)).mean(0).view(LENGTH, -1).numpy()
    seen = [[stored(state, chunk) for chunk in CHUNKS] for state in range(LENGTH)]
    off = np.abs(q - exact)[seen]
    assert off.mean() < 0.25
    assert off.max() < 0.8
