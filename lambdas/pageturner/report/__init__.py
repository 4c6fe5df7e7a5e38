"""What a run came to, for people: the report of each run, the page of all runs, notices, the history."""
