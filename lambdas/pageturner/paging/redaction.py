"""Drops, masks or hashes fields of a value.

A path is JMESPath that ends with a field's name. What is masked or hashed keeps its form: of a structure, a map or a
list, the names stay, and the values in it change.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jmespath.exceptions import JMESPathError

from pageturner.errors import InvalidCrawlError
from pageturner.paging.expression_limits import evaluation
from pageturner.paging.expressions import Field, named_field

# What a text becomes that is masked. Other values become null, so that a column keeps its type.
MASK = "REDACTED"
# The ways, the strongest first, which wins where two paths meet.
WAYS = ("drop", "mask", "hash")


@dataclass(frozen=True)
class Redaction:
    """The fields to redact, with their ways."""

    fields: tuple[tuple[str, Field], ...]

    @classmethod
    def of(cls, paths: Mapping[str, Any]) -> Redaction | None:
        """Return the redaction of valid paths, which are lists by way; None if there are none."""
        named = [(way, named_field(path, in_lists=True)) for way in WAYS for path in paths.get(way, ())]
        fields = tuple((way, field) for way, field in named if field is not None)
        return cls(fields) if fields else None

    @property
    def hashes(self) -> bool:
        """Whether a field is hashed."""
        return any(way == "hash" for way, _ in self.fields)

    def apply(self, value: Any, text_of: Callable[[Any], str], key: bytes = b"") -> None:
        """Redact a value in place.

        A hash is the HMAC-SHA256, with the `key`, of a text, or of the text that `text_of` makes of any other value.
        Raises `InvalidCrawlError` if a path cannot be evaluated, which only real values can show.
        """
        # All are found before one is redacted, which the filter of another may need.
        found = [(way, field.name, each) for way, field in self.fields for each in structures(_found(field, value))]
        for way, name, structure in found:
            if name not in structure:
                continue
            if way == "drop":
                del structure[name]
            elif way == "mask":
                structure[name] = _changed(structure[name], _masked)
            else:
                structure[name] = _changed(structure[name], lambda each: _hashed(each, text_of, key))


def structures(found: Any) -> Iterator[dict[str, Any]]:
    """Yield the structures in what the path before a field's name finds."""
    if isinstance(found, dict):
        yield found
    elif isinstance(found, list):  # of a projection, or of one in another
        for each in found:
            yield from structures(each)


def _found(field: Field, value: Any) -> Any:
    try:
        return evaluation(field.within)(value, None)
    except JMESPathError as error:  # a filter's function; its own message has the value
        raise InvalidCrawlError(
            f'redact: "{field.within.expression}" cannot be evaluated: {type(error).__name__}'
        ) from None


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _changed(each, change) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_changed(each, change) for each in value]
    return None if value is None else change(value)


def _masked(value: Any) -> str | None:
    return MASK if isinstance(value, str | bytes | bytearray) else None


def _hashed(value: Any, text_of: Callable[[Any], str], key: bytes) -> str:
    text = value if isinstance(value, str) else text_of(value)
    return f"hmac-sha256:{hmac.new(key, text.encode(errors='surrogatepass'), hashlib.sha256).hexdigest()}"
