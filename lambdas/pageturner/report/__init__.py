"""What people read in a browser: the report of each run, and the page of all runs."""
