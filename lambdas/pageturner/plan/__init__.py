"""A crawl becomes a run and its targets."""
