"""Weights that were trained with the published JAX codes of VGF, QGF and FQL."""

from workbench.engine.models.published.families import FAMILIES as FAMILIES
from workbench.engine.models.published.families import Family as Family
from workbench.engine.models.published.load import load_published as load_published
