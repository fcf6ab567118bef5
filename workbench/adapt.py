"""``wb.adapt``: policies and critics of other conventions as the parts that steering takes."""

from workbench.engine.models.adapters import (
    categorical,
    dict_observations,
    ensemble_last,
    ensemble_of,
    flat_chunks,
    from_diffusion,
    in_precision,
    of_cost,
    quantiles,
    reversed_time,
    scaled_time,
    standardised,
    units_of,
)

__all__ = [
    "categorical",
    "dict_observations",
    "ensemble_last",
    "ensemble_of",
    "flat_chunks",
    "from_diffusion",
    "in_precision",
    "of_cost",
    "quantiles",
    "reversed_time",
    "scaled_time",
    "standardised",
    "units_of",
]
