"""Publishing: the last stage of a run. What was listed becomes tables, differences, rows and events."""
