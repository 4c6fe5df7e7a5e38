"""The embedded default: an AWS emulator on this machine, and the demo that runs on it."""
