"""Offline-to-online: a trained policy plays episodes, their steps join the data, and training goes on with both."""
