"""The settings that a checkpoint was trained with, as far as they stand in its flags.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.engine.words import UserError, shown

# Ours by the names that the three codes have for them; the first that is there counts.
NAMES: dict[str, tuple[str, ...]] = {
    "discount": ("discount",),
    "reward_scale": ("reward_scale",),
    "flow_steps": ("flow_steps", "denoise_steps", "bc_flow_steps", "diffusion_steps"),
    "chunk": ("chunk", "horizon_length"),
}
DEFAULTS = {"discount": 0.99, "reward_scale": 1.0, "flow_steps": 10, "chunk": 1}
BOUNDS: dict[str, tuple[type, float, float]] = {
    "discount": (float, 0.0, 1.0),
    "reward_scale": (float, 1e-12, 1e12),
    "flow_steps": (int, 1, 100),
    "chunk": (int, 1, 100),
}


@dataclass(frozen=True)
class Settings:
    """What steering and its measures need to know of a training.

    Attributes
    ----------
    discount : float
        γ per environment step.
    reward_scale : float
        Rewards were multiplied by it.
    flow_steps : int
        Euler steps T.
    chunk : int
        Environment steps of one action.
    assumed : tuple of str
        Those that nobody said, and that therefore have their defaults.
    """

    discount: float
    reward_scale: float
    flow_steps: int
    chunk: int
    assumed: tuple[str, ...]


def read_settings(config: Mapping[str, Any], source: str, **given: float | None) -> Settings:
    """The settings: those ``given``, else those of ``config``, else the codes' defaults.

    Parameters
    ----------
    config : mapping
        Of a flags.json: the agent's settings stand in it or below "agent".
    source : str
        What messages call it.

    Raises
    ------
    UserError
        A setting of another type or out of bounds.
    """
    flat = agent_settings(config)
    settings: dict[str, Any] = {}
    assumed = []
    for name, theirs in NAMES.items():
        value: Any = given.get(name)
        where = f"--{name.replace('_', '-')}"
        if value is None:
            key = next((key for key in theirs if flat.get(key) is not None), None)
            if key == "horizon_length" and not flat.get("action_chunking", True):
                key = None  # sequences of actions of which the first is learned
            value, where = (None, "") if key is None else (flat[key], f"{source}: '{key}'")
        if value is None:
            assumed.append(name)
            value = DEFAULTS[name]
        kind, low, high = BOUNDS[name]
        whole = kind is float or (isinstance(value, (int, float)) and value == int(value))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not whole or not low <= value <= high:
            raise UserError(f"{where} is {shown(value)}; a {_word(kind)} from {low:g} to {high:g} was expected")
        settings[name] = kind(value)
    return Settings(**settings, assumed=tuple(assumed))


def agent_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The agent's settings, wherever in flags.json they stand."""
    agent = config.get("agent")
    return dict(config) | (agent if isinstance(agent, dict) else {})


def _word(kind: type) -> str:
    return "whole number" if kind is int else "number"


def check_against(config: Mapping[str, Any], source: str, widths: Mapping[str, list[int]]) -> None:
    """Raise `UserError` where the settings contradict the arrays: they are then of another checkpoint.

    ``widths`` are those of the hidden layers, by the setting that says them.
    """
    flat = agent_settings(config)
    for key, width in widths.items():
        said = flat.get(key)
        if isinstance(said, list) and said != width:
            raise UserError(
                f"{source}: '{key}' is {shown(said)}, the arrays have hidden layers of {shown(width)}: "
                "these settings are of another checkpoint; give its own flags.json, or leave it out"
            )
