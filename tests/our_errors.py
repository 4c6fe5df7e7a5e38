"""The names of all errors that a function can fail with by itself."""

from __future__ import annotations

from pageturner import errors

OUR_ERRORS = frozenset(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.PageturnerError) and kind is not errors.PageturnerError
)
