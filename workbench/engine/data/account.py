"""A dataset's description as a table for people: what was looked at, and what was found."""

from __future__ import annotations

from workbench.engine.data.describe import Description

SHOWN_NAMES = 12


def account_of(found: Description) -> list[tuple[str, str]]:
    """The rows of the table; a label that begins with two spaces belongs to the row above it."""
    low, high = found.action_low, found.action_high
    return [
        ("format", found.format + (f", {found.files} shards" if found.files > 1 else "")),
        ("rows", f"{found.rows:,}" + (f" ({found.dropped:,} more are dropped)" if found.dropped else "")),
        ("episodes", f"{found.episodes:,} of {found.shortest:,} to {found.longest:,} rows"),
        ("ended by themselves", f"{found.terminated:,}"),
        ("cut off (time limit)", f"{found.time_limits:,}"),
        ("observations", _columns(found.observation_dim, found.observation_names)),
        ("  that never change", str(found.constant)),
        ("  normalised already", "yes" if found.normalised else "no"),
        ("actions", _columns(found.action_dim, found.action_names)),
        ("  range", f"{min(low):.4g} to {max(high):.4g}"),
        ("  rows outside [-1, 1]", f"{found.outside:.1%}" + (", scaled by data add" if found.outside else "")),
        ("  rows at a bound", f"{found.at_bounds:.1%}"),
        ("rewards", f"{found.reward_low:.4g} to {found.reward_high:.4g}, mean {found.reward_mean:.4g}"),
        ("  rows with reward 0", f"{found.reward_zero:.1%}"),
        ("rows with NaN or infinity", f"{found.not_finite:,}" + (": refused" if found.not_finite else "")),
    ]


def _columns(count: int, names: tuple[str, ...]) -> str:
    listed = f": {', '.join(names[:SHOWN_NAMES])}{' …' if len(names) > SHOWN_NAMES else ''}"
    return str(count) + (listed if names else "")
