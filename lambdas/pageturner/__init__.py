"""Pageturner's domain: any AWS operation that reads, one page at a time, with nothing lost."""
