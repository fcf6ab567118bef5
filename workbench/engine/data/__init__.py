"""Datasets: the validated `Transitions`, n-step returns, and the npz door."""
