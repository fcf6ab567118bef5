"""Steering on text: sentences with a judge, a proxy that learned from it, and the latents between them."""

from workbench.language.hugging_face import from_transformers

__all__ = ["from_transformers"]
