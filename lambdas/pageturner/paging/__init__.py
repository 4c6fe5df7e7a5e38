"""How an API pages: botocore's models and paginators, one page of a listing, and what makes an item that item."""
