"""Crawls, the catalogue that defines them, and their validation."""
