"""Runs, sweeps and trainings: what is stored, and the processes that make it. Only this room knows Dask."""
