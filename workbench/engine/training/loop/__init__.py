"""The loop: trainers, checkpoints, snapshots; and what is trained by it in one call."""
