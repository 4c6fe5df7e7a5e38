"""Finishes a run: sweeps, manifest, verdict and summary."""
