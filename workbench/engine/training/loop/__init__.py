"""Trainers and their loop, checkpoints and snapshots, and policies that are trained in one call."""
