"""What stands between two matrix products, and Adam's step, as single kernels of an NVIDIA GPU."""
