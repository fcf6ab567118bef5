"""The task ``language``: a prompt is seen, a latent is chosen, a sentence is said, the judge pays."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from workbench.engine.data.transitions import Transitions, make_transitions
from workbench.engine.models.parts import Parts
from workbench.engine.tasks.protocol import StepResult, TaskInfo
from workbench.engine.words import UserError
from workbench.language.networks import CODE, LATENT
from workbench.language.proxy import Proxy, draw_labels, fit_proxy
from workbench.language.room import Room, load_room

ROWS = 8192
FEWEST = 50  # labels
MOST = 20_000
USUAL = 1000
SUCCESS = 0.4  # a sentence that can be read and is scored at least so is a success
STATES = 256  # of the behaviour policy, where shift is measured


class OneSentence:
    """E prompts, each answered once (the `BatchEnv` protocol).

    Parameters
    ----------
    room : Room
    count, seed : int
        E, and what fixes the prompts.
    """

    def __init__(self, room: Room, count: int, seed: int) -> None:
        self._room = room
        self._codes = room.draw_prompts(count, torch.Generator().manual_seed(seed))

    def reset(self) -> np.ndarray:
        """The prompts' codes, (E, S)."""
        return self._codes.numpy().copy()

    def step(self, actions: np.ndarray, active: np.ndarray) -> StepResult:
        """Say the sentences of the latents ``actions`` (E, D) where ``active`` (E,), pay for them, and end those episodes."""
        said = self._room.say(self._codes, torch.from_numpy(np.asarray(actions, dtype=np.float32)))
        rewards = np.where(active, self._room.score(said).pay.numpy(), 0.0).astype(np.float32)
        return StepResult(self.reset(), rewards, active.copy(), np.zeros_like(active), active & (rewards >= SUCCESS))

    def close(self) -> None:
        """Nothing is held."""


class LanguageTask:
    """``language/N``: sentences of Jane Austen's words; the proxy has seen N sentences' scores.

    The observation is a code of the first two words, the action a latent that the decoder spells, the reward the judge's score
    of the sentence where it can be read, else 0. The judge has no gradient. Data that are made here carry the *proxy's* reward,
    as a policy's training from a learned reward has it; the environment pays the judge's.

    Parameters
    ----------
    labels : int
        N, how many sentences the judge scored for the proxy.

    Raises
    ------
    UserError
        Fewer than 50 labels, or more than 20,000.
    """

    def __init__(self, labels: int = USUAL) -> None:
        if not FEWEST <= labels <= MOST:
            raise UserError(
                f"language/{labels}: the proxy learns from {FEWEST} to {MOST:,} labels; try language/{USUAL}"
            )
        self.labels = labels
        self.info = TaskInfo(
            name=f"language/{labels}",
            title=f"Language, {labels:,} labels",
            observation_dim=CODE,
            action_dim=LATENT,
            horizon=1,
            summary="end a sentence in Jane Austen's words; a proxy promises, a judge pays",
        )

    @property
    def room(self) -> Room:
        """Words, judge and networks."""
        return load_room()

    def training_defaults(self, critic: str = "iql") -> dict[str, Any]:
        """256×3 networks, 3000 steps, lr 1e-3 cosine; observations are codes in [-1, 1] already."""
        return {
            "hidden": (256, 256, 256),
            "steps": 3000,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "tau": 0.02,
            "normalize_observations": False,
        }

    def generate(self, rows: int | None, seed: int) -> Transitions:
        """Draw one-step episodes, 8192 by default: latents of the behaviour policy, rewards of the proxy.

        Raises
        ------
        UserError
            ``rows`` is less than 1.
        """
        count = ROWS if rows is None else rows
        if count < 1:
            raise UserError(f"{self.info.name}: rows must be at least 1, got {count}")
        generator = torch.Generator().manual_seed(seed)
        codes = self.room.draw_prompts(count, generator)
        latents = self.room.behave(codes, generator)
        promised = learned(self.labels, seed)(codes, latents)
        zeros, ends = np.zeros(count, dtype=np.float32), np.ones(count, dtype=bool)
        seen = codes.numpy()
        return make_transitions(seen, latents.numpy(), promised.numpy(), zeros, seen, ends, source=self.info.name)

    def environments(self, count: int, seed: int) -> OneSentence:
        """``count`` prompts, drawn with ``seed`` as often as they stand in the text."""
        return OneSentence(self.room, count, seed)

    def parts(self, seed: int = 0) -> Parts:
        """The behaviour flow and the proxy, which learns on the spot from N labels drawn with ``seed``."""
        room = self.room
        states = room.draw_prompts(STATES, torch.Generator().manual_seed(seed))
        return Parts(CODE, LATENT, room.flow, learned(self.labels, seed), behaviour_states=states)


@lru_cache(maxsize=16)
def learned(labels: int, seed: int) -> Proxy:
    """The proxy of ``labels`` labels drawn with ``seed``; the same ones for every use in this process."""
    room, generator = load_room(), torch.Generator().manual_seed(seed)
    return fit_proxy(room, draw_labels(room, labels, generator))


class Language:
    """The family ``language/N`` of tasks (the `Family` protocol)."""

    @staticmethod
    def open(identifier: str) -> LanguageTask:
        """The task whose proxy has seen ``identifier`` labels, a whole number."""
        if not identifier.isascii() or not identifier.isdigit():
            raise UserError(
                f"language/{identifier[:40]}: behind the slash stands a number of labels, as in language/{USUAL}"
            )
        return LanguageTask(int(identifier[:9]))

    @staticmethod
    def check_listed(identifier: str) -> None:
        """Every name is safe: it is a number."""
        Language.open(identifier)
