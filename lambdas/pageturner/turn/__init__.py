"""One page of a target: fetched, committed, checkpointed."""
