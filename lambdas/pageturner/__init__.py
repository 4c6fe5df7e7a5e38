"""Pageturner's domain: any paginated AWS operation, one page at a time, with nothing lost."""
