"""What a run came to: sweeps, verdicts, manifest and summary."""
