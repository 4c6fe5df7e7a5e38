"""Evaluates the JMESPath expressions of a crawl."""

from __future__ import annotations

from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from pageturner.errors import InvalidCrawlError


def find(key: str, expression: str, value: Any) -> Any:
    """Return what `expression`, the value of the crawl's `key`, finds in a value; None if it finds nothing.

    Raises `InvalidCrawlError` if one of its functions rejects its arguments, which only real items can show.
    """
    try:
        return jmespath.compile(expression).search(value)
    except JMESPathError as error:
        raise InvalidCrawlError(f'{key}: "{expression}" cannot be evaluated: {error}') from error
