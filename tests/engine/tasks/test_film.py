"""Rendered frames: the same episode, played again in another process; and words where there is no picture."""

import os

import numpy as np
import pytest
import torch

from workbench.engine.models.parts import Parts
from workbench.engine.steering.rules import make_rule
from workbench.engine.tasks.film import NoPictureError, film
from workbench.engine.tasks.registry import make_task
from workbench.engine.tasks.rollout import rollout

HOPPER = "gym/Hopper-v5"  # falls within some tens of steps


def still(observation_dim: int, action_dim: int) -> Parts:
    """A flow that goes nowhere: actions are the noise it begins with."""
    return Parts(observation_dim, action_dim, lambda observations, actions, time: torch.zeros_like(actions))


def test_the_frames_are_of_the_episode_that_was_played() -> None:
    pytest.importorskip("mujoco")
    task, rule, parts = make_task(HOPPER), make_rule("bc"), still(11, 3)
    try:
        found = film(rule, parts, task, 5, count=4)
    except NoPictureError as error:
        if "No picture can be rendered" in str(error) and not os.environ.get("MUJOCO_GL"):
            pytest.skip(str(error))
        raise
    again = rollout(rule, parts, task, 1, 5)
    assert found.episode.lengths[0] == again.lengths[0] == found.steps[-1]
    assert found.episode.returns[0] == pytest.approx(again.returns[0])
    assert found.frames.shape == (4, *found.frames.shape[1:3], 3)
    assert found.frames.dtype == np.uint8
    assert (found.frames[0] != found.frames[-1]).mean() > 0.01  # something has moved
    assert found.frames.std() > 10.0


def test_where_there_is_no_renderer_words_say_why() -> None:
    with pytest.raises(NoPictureError, match="Three exits has no rendered pictures"):
        film(make_rule("bc"), still(4, 2), make_task("three_exits"), 0)
    pytest.importorskip("mujoco")
    with pytest.raises(NoPictureError, match=r"No picture can be rendered here .*MUJOCO_GL=nonsense"):
        film(make_rule("bc"), still(11, 3), make_task(HOPPER), 0, count=2, renderer="nonsense")
    with pytest.raises(NoPictureError, match="Stopped"):
        film(make_rule("bc"), still(11, 3), make_task(HOPPER), 0, stopped=lambda: True)
