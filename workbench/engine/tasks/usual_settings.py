"""Training settings where nobody has measured better ones: the papers' ordinary settings with smaller networks."""

from __future__ import annotations

from typing import Any

USUAL_SETTINGS: dict[str, Any] = {
    "hidden": (256, 256, 256),
    "steps": 50_000,
    "batch_size": 256,
    "learning_rate": 3e-4,
    "discount": 0.99,
    "tau": 0.005,
    "critic": "iql",
}
