"""Turns a crawl into a run and its targets."""
