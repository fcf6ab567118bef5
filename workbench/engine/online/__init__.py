"""Offline-to-online: a trained policy acts, what it meets joins the data, and training goes on."""
