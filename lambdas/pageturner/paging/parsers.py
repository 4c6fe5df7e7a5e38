"""botocore's own parsers, with two differences: what they cannot parse stays as it came, and they are quick.

One value must not stop a listing. And parsing is most of what a page costs: botocore reads a timestamp with dateutil,
which takes twenty times as long as `datetime`, and looks up all members of a structure for each of its values.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.parsers import ResponseParserFactory
from botocore.utils import parse_timestamp

from pageturner import errors, telemetry

# What datetime and dateutil read alike. datetime also takes weeks (2026-W01), and digits that are seconds to botocore.
_ISO_8601_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?Z")


class Parsers(ResponseParserFactory):
    """The factory of the parsers, for a session's component ``response_parser_factory``."""

    def __init__(self) -> None:
        super().__init__()
        self.set_parser_defaults(timestamp_parser=timestamp, blob_parser=_blob)

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser of a protocol."""
        parser = super().create_parser(protocol_name)
        # Numbers have no hook like timestamps and blobs: a parser looks up its handlers by these names.
        for kind in ("integer", "long", "float", "double"):
            if (handler := getattr(parser, f"_handle_{kind}", None)) is not None:
                setattr(parser, f"_handle_{kind}", partial(_number, kind, handler))
        return parser


def timestamp(value: Any) -> Any:
    """Return the time that botocore's ``parse_timestamp`` returns, or the value itself if it cannot be parsed."""
    try:
        if isinstance(value, str):
            if _ISO_8601_UTC.fullmatch(value):
                return datetime.fromisoformat(value)
        elif isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        parsed = parse_timestamp(value)
        parsed.utcoffset()  # dateutil accepts an offset of a day or more, with which no time can be written
    except errors.UNEXPECTED_VALUES:
        return _as_it_came("timestamp", value)
    else:
        return parsed


def _number(kind: str, handler: Callable[[Any, Any], Any], shape: Any, value: Any) -> Any:
    try:
        return handler(shape, value)
    except (ValueError, TypeError, OverflowError):
        return _as_it_came(kind, getattr(value, "text", value))  # XML's values are elements


def _blob(value: Any) -> Any:
    try:
        return base64.b64decode(value)  # as botocore.parsers.ResponseParser does
    except errors.UNEXPECTED_VALUES:
        return _as_it_came("blob", value)


def _as_it_came(kind: str, value: Any) -> Any:
    telemetry.logger.warning(f"a {kind} cannot be parsed, and stays as it came", extra={"value": str(value)[:40]})
    return value
