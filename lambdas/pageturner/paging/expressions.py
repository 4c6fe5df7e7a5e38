"""JMESPath expressions that a crawl says."""

from __future__ import annotations

from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from pageturner.errors import InvalidCrawlError


def find(key: str, expression: str, value: Any) -> Any:
    """What `expression`, which the crawl has under `key`, finds in a value; None where it finds nothing.

    Raises `InvalidCrawlError` where one of its functions does not take what it is given: that shows only on real items.
    """
    try:
        return jmespath.compile(expression).search(value)
    except JMESPathError as error:
        raise InvalidCrawlError(f'{key}: "{expression}" cannot be evaluated: {error}') from error
