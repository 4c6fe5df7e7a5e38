"""Finishes a run: trust, manifest, verdict and summary."""
