"""Passes of the networks in C, compiled on first use; where that cannot be, PyTorch's own operations do the same."""
