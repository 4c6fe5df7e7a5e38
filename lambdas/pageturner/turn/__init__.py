"""Turns one page of a target: fetch, commit, checkpoint."""
