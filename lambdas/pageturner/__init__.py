"""Pageturner's domain: one page at a time of any paginated AWS operation, with nothing lost."""
