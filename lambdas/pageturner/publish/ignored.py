"""The fields of items that do not count when items are compared: a crawl's `ignore_fields`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from jmespath.exceptions import JMESPathError

from pageturner.errors import InvalidCrawlError, said
from pageturner.paging.expression_limits import Steps, evaluation
from pageturner.paging.expressions import Field, named_field
from pageturner.paging.redaction import structures


class IgnoredFields:
    """The fields that valid `expressions` name."""

    def __init__(self, expressions: Iterable[str]) -> None:
        fields = [field for each in expressions if (field := named_field(each)) is not None]
        self._fields = [(field, evaluation(field.within)) for field in fields]

    def __bool__(self) -> bool:
        return bool(self._fields)

    def without(self, item: str) -> str:
        """Return the canonical JSON text of an item without these fields. Raises `InvalidCrawlError`."""
        return _text(self._kept(item)) if self._fields else item

    def changed_fields(self, before: str, after: str) -> list[str]:
        """Return the names of the members that differ between two items; none if one of them is no JSON object."""
        old, new = self._kept(before), self._kept(after)
        if not isinstance(old, dict) or not isinstance(new, dict):
            return []
        # To Python, 1, 1.0 and true are equal.
        texts = [{name: _text(value) for name, value in members.items()} for members in (old, new)]
        return sorted(name for name in {*old, *new} if texts[0].get(name) != texts[1].get(name))

    def _kept(self, item: str) -> Any:
        value = json.loads(item)
        # All are found before one is removed, which the filter of another may need.
        found = [
            (structure, field.name)
            for field, search in self._fields
            for structure in structures(_found(field, search, value))
        ]
        for structure, name in found:
            structure.pop(name, None)
        return value


def _found(field: Field, search: Callable[[Any, Steps | None], Any], value: Any) -> Any:
    try:
        return search(value, None)
    except JMESPathError as error:  # a filter's function, which only real items can upset
        expression = field.within.expression
        raise InvalidCrawlError(f'ignore_fields: "{expression}" cannot be evaluated: {said(error)}') from error


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
