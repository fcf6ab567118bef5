"""Latency in environment steps: against environments that write down what they are told, and loops that are written out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from engine.tasks.test_chunk_rollout import HORIZON, DiaryTask, parts_of

from workbench.engine.metrics.evaluate import evaluate
from workbench.engine.metrics.visited import Watcher
from workbench.engine.steering.inpaint import act_on, held_parts
from workbench.engine.steering.noise import draw_noise
from workbench.engine.steering.rules import make_rule
from workbench.engine.steering.run import act
from workbench.engine.tasks.latency import MEANINGS, Latency
from workbench.engine.tasks.rollout import rollout

LENGTHS = (1, 3, 4, 7, 9)


def played(latency: Latency | None, chunk: int, rule: Any = None) -> list[np.ndarray]:
    """The actions (steps, 2) that each environment was told."""
    task = DiaryTask(LENGTHS)
    rollout(rule or make_rule("qgf", weight=0.5), parts_of(chunk), task, len(LENGTHS), 3, latency=latency)
    return [np.stack(actions) for actions in task.env.actions]


def decisions(chunk: int, times: list[int], held: tuple[int, int, int] | None = None) -> list[np.ndarray]:
    """Chunks (E, h, 2) decided at ``times``; ``held`` is (steps between, decided, shared) for chunks that continue the last."""
    rule, parts, generator = make_rule("qgf", weight=0.5), parts_of(chunk), torch.Generator().manual_seed(3)
    found: list[np.ndarray] = []
    for time in times:
        noise = draw_noise(len(LENGTHS), 1, 2 * chunk, generator)
        seen = torch.tensor([[i, min(time, length, HORIZON)] for i, length in enumerate(LENGTHS)], dtype=torch.float32)
        if held is None or not found:
            chosen = act(rule, parts, seen, noise)
        else:
            every, decided, shared = held
            plan = np.zeros_like(found[-1])
            plan[:, :shared] = found[-1][:, every : every + shared]
            inside = held_parts(rule, parts, decided, shared)
            chosen = act_on(rule, inside, seen, torch.from_numpy(plan).flatten(1), decided, noise)
        found.append(chosen.view(-1, chunk, 2).numpy())
    return found


@pytest.mark.parametrize("chunk", [1, 2, 5])
@pytest.mark.parametrize("way", MEANINGS)
@pytest.mark.parametrize("rule", ["qgf", "vgf", "bc"])
def test_without_delay_every_way_is_the_plain_one(rule: str, way: Any, chunk: int) -> None:
    plain, late = (played(latency, chunk, make_rule(rule)) for latency in (None, Latency(way=way)))
    assert all(np.array_equal(one, other) for one, other in zip(plain, late, strict=True))


@pytest.mark.parametrize(
    ("chunk", "delay", "execute"), [(5, 1, None), (5, 2, None), (4, 2, 2), (6, 1, 2), (5, 0, 2), (3, 1, 1)]
)
@pytest.mark.parametrize("way", ["naive", "rtc"])
def test_the_chunk_that_plays_began_d_steps_before(way: Any, chunk: int, delay: int, execute: int | None) -> None:
    every = execute or chunk - delay
    times = list(range(0, HORIZON, every))
    chunks = decisions(chunk, times, (every, delay, chunk - every) if way == "rtc" else None)
    told = played(Latency(delay=delay, way=way, execute=execute), chunk)
    for i, actions in enumerate(told):
        for step, action in enumerate(actions):
            late = max((step - delay) // every, 0)  # the latest decision that is ready, the first one from the start
            np.testing.assert_allclose(action, chunks[late][i, step - times[late]], atol=1e-6)


def test_real_time_chunks_do_not_jump_where_they_take_over() -> None:
    """What is played while a decision is on its way stands in the new chunk, bit for bit."""
    chunks = decisions(5, [0, 3], (3, 2, 2))
    assert np.array_equal(chunks[1][:, :2], chunks[0][:, 3:])


@pytest.mark.parametrize(("chunk", "delay", "execute"), [(1, 2, None), (3, 1, None), (3, 2, 2), (2, 5, None)])
def test_a_pause_is_zeros_until_the_chunk_is_ready(chunk: int, delay: int, execute: int | None) -> None:
    every = execute or chunk
    wanted: list[tuple[int, int] | None] = []
    times = [0]
    while len(wanted) < HORIZON:
        wanted += [(len(times) - 1, i) for i in range(every)]
        times.append(len(wanted))
        wanted += [None] * delay
    chunks = decisions(chunk, [time for time in times if time < HORIZON])
    for i, actions in enumerate(played(Latency(delay=delay, way="pause", execute=execute), chunk)):
        for step, action in enumerate(actions):
            place = wanted[step]
            np.testing.assert_allclose(action, 0.0 if place is None else chunks[place[0]][i, place[1]], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "chunk", "words"),
    [
        ({"delay": 1}, 1, "needs chunks of at least 2, and these have 1: train with --set chunk=2"),
        ({"delay": 3, "way": "naive"}, 5, "a delay of 3 steps needs chunks of at least 6.*at most 2.*way = pause"),
        ({"delay": 2, "execute": 1}, 5, "execute = 1 must be at least the delay"),
        ({"delay": 2, "execute": 4}, 5, "at most the chunk less the delay"),
        ({"way": "pause", "execute": 4}, 3, "execute = 4 is more than the 3 steps of a chunk"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(settings: dict[str, Any], chunk: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rollout(make_rule("bc"), parts_of(chunk), DiaryTask((3,)), 1, 0, latency=Latency(**settings))


@pytest.mark.parametrize(
    "latency", [Latency(), Latency(delay=2), Latency(delay=1, way="pause"), Latency(delay=1, execute=2)]
)
def test_the_states_of_decisions_are_kept(latency: Latency) -> None:
    watcher = Watcher(4, latency)
    asked: list[float] = []

    def critic(observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        asked.extend(observations[:, -1].tolist())
        return actions.sum(1)

    rollout(
        make_rule("best_of_n", particles=2),
        replace(parts_of(4), critic=critic),
        DiaryTask((7,)),
        1,
        0,
        watch=watcher,
        latency=latency,
    )
    assert watcher.visited.rows[:, 1].tolist() == sorted(set(asked))


def test_an_evaluation_says_its_latency_and_compares_with_no_latency() -> None:
    """The behaviour policy's own episodes are kept by parts and task, and must not be those with latency."""
    task, parts, rule = DiaryTask((3, 7)), parts_of(5), make_rule("bc")
    late = evaluate(rule, parts, task, 2, 0, latency=Latency(delay=2, way="pause"))
    assert late.as_dict()["latency"] == {"delay": 2, "way": "pause", "execute": None, "clip": 5.0}
    assert late.gain.mean == 0.0  # this task pays for every step, whatever is done
    again = evaluate(rule, parts, task, 2, 0)
    assert again.as_dict()["latency"]["delay"] == 0
    assert again.record.returns.tolist() == [3.0, 7.0]
