"""How an API pages: botocore's models and paginators, one page of a listing, and the identity of its items."""
