"""The commands, by what they are about. Each returns its exit code."""
