"""botocore's own parsers, with two differences: what they cannot parse stays as it came, and they are quick.

One value must not stop a listing. And parsing is most of what a page costs: botocore reads a timestamp with dateutil,
which takes twenty times as long as `datetime`, and looks up all members of a structure for each of its values.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from botocore.parsers import PROTOCOL_PARSERS, BaseJSONParser, BaseXMLResponseParser, ResponseParserFactory
from botocore.utils import parse_timestamp

from pageturner import errors, telemetry

# What datetime and dateutil read alike. datetime also takes weeks (2026-W01), and digits that are seconds to botocore.
_ISO_8601_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?Z")


class Parsers(ResponseParserFactory):
    """The factory of the parsers, for a session's component ``response_parser_factory``."""

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser of a protocol."""
        parser = _parser_class(protocol_name)(timestamp_parser=timestamp, blob_parser=_blob)
        # Numbers have no hook like timestamps and blobs: a parser looks up its handlers by these names.
        for kind in ("integer", "long", "float", "double"):
            if (handler := getattr(parser, f"_handle_{kind}", None)) is not None:
                setattr(parser, f"_handle_{kind}", partial(_number, kind, handler))
        return parser


@cache
def _parser_class(protocol: str) -> Any:
    theirs: Any = PROTOCOL_PARSERS[protocol]
    for ours, base in ((_Xml, BaseXMLResponseParser), (_Json, BaseJSONParser)):
        if issubclass(theirs, base):
            return type(theirs.__name__, (ours, theirs), {})
    return theirs


class _Planned:
    """Looks at a shape once, where botocore's parsers look at it for each value.

    The methods have the names and the results of those that they replace, which take every shape that is not simple
    and every value that is not of its shape. `turn.unreadable` reads the names of methods and variables.
    """

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self._plans: dict[Any, Any] = {}

    def _handler(self, shape: Any) -> Any:
        return getattr(self, f"_handle_{shape.type_name}", self._default_handle)  # type: ignore[attr-defined]

    def _is_text(self, shape: Any) -> bool:
        return shape.type_name in ("string", "character") and not shape.serialization.get("jsonvalue")

    def _plan_of_structure(self, shape: Any) -> Any:
        raise NotImplementedError

    def _plan_of_list(self, shape: Any) -> Any:
        raise NotImplementedError

    def _plan(self, shape: Any) -> Any:
        """Return the plan of a structure or list, or None if botocore's own method takes it."""
        try:
            return self._plans[shape]
        except KeyError:
            make = self._plan_of_structure if shape.type_name == "structure" else self._plan_of_list
            return self._plans.setdefault(shape, make(shape))


class _Xml(_Planned):
    """Parses the elements of XML. An element that is there several times is a list of elements."""

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self._names: dict[str, str] = {}  # by tag

    def _plan_of_structure(self, shape: Any) -> Any:
        own: Any = super()
        members = {
            name: member
            for name, member in shape.members.items()
            if member.serialization.get("location") not in own.KNOWN_LOCATIONS
            and not member.serialization.get("eventheader")
        }
        if shape.metadata.get("exception") or shape.is_tagged_union:
            return None
        if any(member.serialization.get("xmlAttribute") for member in members.values()):
            return None
        return [
            (name, own._member_key_name(member, name), self._is_text(member), member, self._handler(member))
            for name, member in members.items()
        ]

    def _handle_structure(self, shape: Any, node: Any) -> Any:
        if (plan := self._plan(shape)) is None:
            return super()._handle_structure(shape, node)  # type: ignore[misc]
        while isinstance(node, list):
            node = node[0]
        names = self._names
        nodes: dict[str, Any] = {}
        for child in node:
            tag = child.tag
            if (name := names.get(tag)) is None:
                name = names[tag] = self._node_tag(child)  # type: ignore[attr-defined]
            if name not in nodes:
                nodes[name] = child
            elif isinstance(nodes[name], list):
                nodes[name].append(child)
            else:
                nodes[name] = [nodes[name], child]
        parsed = {}
        for member_name, name, is_text, member, handler in plan:
            if (found := nodes.get(name)) is None:
                continue
            is_text = is_text and not isinstance(found, list)
            parsed[member_name] = (found.text or "") if is_text else handler(member, found)
        return parsed

    def _plan_of_list(self, shape: Any) -> Any:
        if shape.serialization.get("location") == "header":
            return None
        return bool(shape.serialization.get("flattened")), shape.member, self._handler(shape.member)

    def _handle_list(self, shape: Any, node: Any) -> Any:
        if (plan := self._plan(shape)) is None:
            return super()._handle_list(shape, node)  # type: ignore[misc]
        flattened, member, handler = plan
        parsed: list[Any] = []
        for item in [node] if flattened and not isinstance(node, list) else node:
            parsed.append(handler(member, item))  # noqa: PERF401 - for `turn.unreadable`
        return parsed


class _Json(_Planned):
    """Parses the values of JSON. Most are what they are, and have no handler."""

    def _handler(self, shape: Any) -> Any:
        handler = super()._handler(shape)
        # The handler of a text only decodes those of headers.
        return None if handler == self._default_handle or self._is_text(shape) else handler  # type: ignore[attr-defined]

    def _plan_of_structure(self, shape: Any) -> Any:
        if shape.is_document_type or shape.is_tagged_union:
            return None
        members = {
            name: (member_name, name, member, self._handler(member))
            for member_name, member in shape.members.items()
            for name in [member.serialization.get("name", member_name)]
        }
        return members if len(members) == len(shape.members) else None

    def _handle_structure(self, shape: Any, value: Any) -> Any:
        if not isinstance(value, dict) or (plan := self._plan(shape)) is None:
            return super()._handle_structure(shape, value)  # type: ignore[misc]
        members = plan.values()
        if len(value) == 1:  # as in all of DynamoDB's values, of ten members
            members = [plan[name] for name in value if name in plan]
        parsed = {}
        for member_name, name, member, handler in members:
            if (raw := value.get(name)) is not None:
                parsed[member_name] = raw if handler is None else handler(member, raw)
        return parsed

    def _plan_of_list(self, shape: Any) -> Any:
        if shape.serialization.get("location") == "header":
            return None
        return shape.member, self._handler(shape.member)

    def _handle_list(self, shape: Any, node: Any) -> Any:
        if (plan := self._plan(shape)) is None:
            return super()._handle_list(shape, node)  # type: ignore[misc]
        member, handler = plan
        parsed: list[Any] = []
        for item in node:
            parsed.append(item if handler is None or item is None else handler(member, item))  # noqa: PERF401 - as above
        return parsed


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
    telemetry.logger.warning(f"a {kind} cannot be parsed, and stays as it came", extra={"length": len(str(value))})
    return value
