"""Steering on text: sentences with a judge, a proxy that learned from it, and the latents between them."""
