"""Responses are parsed to what botocore's own parsers make of them, in the same order, with the same errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.parsers import PROTOCOL_PARSERS, ResponseParserError

from pageturner import errors
from pageturner.paging import api, parsers
from pageturner.paging.paginators import paginator_of
from pageturner.turn.unreadable import unreadable

SCALARS: dict[str, Any] = {"string": "té<xt", "character": "c", "integer": 5, "long": -5, "float": 0.5, "double": 1e300}
SCALARS |= {
    "boolean": True,
    "timestamp": "2026-01-02T03:04:05.678Z",
    "blob": "YQ==",
    "bigdecimal": "1",
    "biginteger": 2,
}
ODD: list[Any] = [
    None,
    "",
    "text",
    5,
    1.5,
    False,
    [],
    ["a", None],
    {},
    {"a": 1, "b": None},
    {"__type": "T"},
    "NaN",
    "=",
    [{}],
    [[]],
]
PER_SERVICE, RESPONSES = 4, 4


def listings() -> Iterator[tuple[str, str]]:
    """Some listings of each service."""
    for service in api.service_names():
        taking_tokens = (
            operation
            for operation in api.operation_names(service)
            if "input_token" in paginator_of(service, operation, {}).definition
        )
        yield from ((service, operation) for operation in islice(taking_tokens, PER_SERVICE))


def value_of(shape: Any, chance: Random, depth: int = 0) -> Any:
    """A value of a shape as JSON has it, sometimes an odd one."""
    if chance.random() < 0.02:
        return chance.choice(ODD)
    if shape.type_name == "structure":
        names = [name for name in shape.members if chance.random() < 0.9 / (depth + 1)]
        chance.shuffle(names)
        found = {
            shape.members[name].serialization.get("name", name): value_of(shape.members[name], chance, depth + 1)
            for name in names
        }
        return found | ({"Unknown": "member"} if chance.random() < 0.1 else {})
    if shape.type_name == "list":
        return [value_of(shape.member, chance, depth + 1) for _ in range(chance.randrange(4))]
    if shape.type_name == "map":
        return {f"key {number}": value_of(shape.value, chance, depth + 1) for number in range(chance.randrange(3))}
    return SCALARS[shape.type_name]


def xml_of(shape: Any, name: str, value: Any) -> str:
    """A value as XML. An odd value has the elements that come first to mind."""
    if isinstance(value, list):
        member = getattr(shape, "member", None)
        if shape is not None and shape.serialization.get("flattened"):
            name = (member.serialization.get("name") if member is not None else None) or name
            return "".join(xml_of(member, name, each) for each in value)
        return f"<{name}>{''.join(xml_of(member, 'member', each) for each in value)}</{name}>"
    if isinstance(value, dict) and getattr(shape, "type_name", "") == "map":
        key = shape.key.serialization.get("name", "key")
        below = shape.value.serialization.get("name", "value")
        pairs = (f"<{key}>{escape(k)}</{key}>{xml_of(shape.value, below, each)}" for k, each in value.items())
        return "".join(f"<{name}><entry>{pair}</entry></{name}>" for pair in pairs)
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        by_name = {member.serialization.get("name", each): member for each, member in members.items()}
        return f"<{name}>{''.join(xml_of(by_name.get(n), n, each) for n, each in value.items())}</{name}>"
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{text}</{name}>"


def body_of(model: Any, value: Any) -> bytes:
    """The body of a response."""
    if model.service_model.resolved_protocol not in ("query", "ec2", "rest-xml"):
        return json.dumps(value).encode()
    inner = xml_of(model.output_shape, "Answer", value)
    wrapper = model.output_shape.serialization.get("resultWrapper")
    inner = inner.replace("<Answer>", f'<Answer xmlns="https://example.com/"><{wrapper}>', 1) if wrapper else inner
    return (inner.removesuffix("</Answer>") + f"</{wrapper}></Answer>" if wrapper else inner).encode()


def parsed_by(parser: Any, body: bytes, shape: Any) -> str:
    """What a parser makes of a body, with the order of all members, or what is said of its error."""
    try:
        return repr(parser.parse({"body": body, "headers": {"x-amzn-requestid": "r"}, "status_code": 200}, shape))
    except (ResponseParserError, *errors.UNEXPECTED_VALUES) as error:
        return str(unreadable(error))


def test_responses_are_parsed_as_botocore_parses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {protocol: parsers.Parsers().create_parser(protocol) for protocol in PROTOCOL_PARSERS}
    monkeypatch.setattr(parsers, "_parser_class", PROTOCOL_PARSERS.__getitem__)
    theirs = {protocol: parsers.Parsers().create_parser(protocol) for protocol in PROTOCOL_PARSERS}
    outcomes: dict[str, set[bool]] = {}
    for service, operation in listings():
        model = api.operation_model(service, operation)
        protocol = model.service_model.resolved_protocol
        if model.output_shape is None or "cbor" in protocol:
            continue
        chance = Random(f"{service} {operation}")
        for _ in range(RESPONSES):
            body = body_of(model, value_of(model.output_shape, chance))
            expected = parsed_by(theirs[protocol], body, model.output_shape)
            assert parsed_by(ours[protocol], body, model.output_shape) == expected, f"{service} {operation}: {body!r}"
            outcomes.setdefault(protocol, set()).add(expected.startswith("{"))
    assert outcomes.keys() == {"json", "rest-json", "rest-xml", "query", "ec2"}
    assert all(True in found for found in outcomes.values())
    assert {protocol for protocol, found in outcomes.items() if False in found} >= {"json", "rest-json", "query"}
