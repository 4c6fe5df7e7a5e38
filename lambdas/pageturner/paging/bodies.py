"""Refuses the bodies of HTTP 200 responses that are not the service's, and those that are too large.

Handlers of botocore's events. An empty body, a proxy's page or a cut document would otherwise end a listing, because
botocore parses them to nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from pageturner.errors import InvalidRequestError
from pageturner.paging.answers import body_shape, has_nothing_of, members_of

_CBOR = "smithy-rpc-v2-cbor"
_CBOR_MAP = 5  # RFC 8949: the major type is in the first three bits
# Parsed, a body of JSON takes 13 times its size, and one of XML nine times. FetchPage has 512 MB, of which it takes 70.
LARGEST_BODY = 24 * 2**20


def check_size(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse a body that would not fit into memory: a handler of botocore's ``before-parse`` event.

    Raises `InvalidRequestError`: out of memory, the function would be killed, again and again.
    """
    body = response_dict["body"]
    if isinstance(body, bytes) and len(body) > LARGEST_BODY:
        raise InvalidRequestError(
            f"the response to {operation_model.name} has {len(body):,} bytes, and {LARGEST_BODY:,} fit into memory; "
            "set a smaller PageSize in pagination_config, or list less with each target"
        )


class ForeignBodyError(ResponseParserError):
    """The body is not the service's; the message says how long it is, and nothing of what is in it."""


def check_cbor(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse a body that is no CBOR map: a handler of botocore's ``before-parse`` event.

    botocore would take the first bytes of a text for the length of one, and ask for that much memory.
    Raises `ForeignBodyError`.
    """
    if operation_model.service_model.resolved_protocol != _CBOR or body_shape(operation_model) is None:
        return
    body = response_dict["body"]
    if response_dict["status_code"] < 300 and (not body or body[0] >> 5 != _CBOR_MAP):
        raise ForeignBodyError(f"the response to {operation_model.name} is not the service's: {len(body):,} bytes")


def check_body(http_response: Any, parsed: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
    """Refuse the body of an HTTP 200 that is not the service's: a handler of botocore's ``after-call`` event.

    botocore parses an empty body, or one of somebody else's, to a response without members, which would end a listing.
    Raises `ForeignBodyError`.
    """
    # botocore makes a `message` of a body that is no JSON, which a few outputs really have.
    is_message = parsed.keys() - {"ResponseMetadata"} == {"message"}
    if http_response.status_code >= 300 or model.has_streaming_output:
        return
    if not is_message and not has_nothing_of(model, parsed):
        return
    body = http_response.content
    if not body.strip():
        raise ForeignBodyError(f"the body of the response to {model.name} is empty")
    protocol = model.service_model.resolved_protocol
    names = _names_on_the_wire(body_shape(model))
    its_own = True
    if protocol in ("json", "rest-json"):
        its_own = _is_json_of(names, body)
    elif protocol in ("query", "ec2", "rest-xml"):
        its_own = _is_xml_of(names, body, _tags_of_nothing(model))
    if not its_own:
        raise ForeignBodyError(f"the response to {model.name} is not the service's: {len(body):,} bytes")


def _is_json_of(names: set[str], body: bytes) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    # A service may leave out all members that it has no value for, and have new ones. An error is not an answer.
    return isinstance(document, dict) and (
        not document
        or bool(names & document.keys())
        or not {"message", "error", "__type"} & {name.lower() for name in document}
    )


def _tags_of_nothing(model: OperationModel) -> set[str]:
    """The children that the root of a result without members can have: a wrapper, and metadata."""
    if model.service_model.resolved_protocol == "ec2":
        return {"requestId"}
    wrapper = model.output_shape.serialization.get("resultWrapper") if model.output_shape is not None else None
    return {wrapper, "ResponseMetadata"} if wrapper else set()


def _is_xml_of(names: set[str], body: bytes, of_nothing: set[str]) -> bool:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - botocore has parsed it already
    except ElementTree.ParseError:
        return False
    tags = {_local(element.tag) for element in root.iter()}
    return not tags & {"html", "Error"} and (bool(names & tags) or {_local(child.tag) for child in root} <= of_nothing)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _names_on_the_wire(shape: Any) -> set[str]:
    members = [(name, shape.members[name]) for name in members_of(shape)]
    # The elements of a flattened list stand in place of the list.
    lists = [
        member.member.serialization.get("name", name)
        for name, member in members
        if member.type_name == "list" and member.serialization.get("flattened")
    ]
    return {member.serialization.get("name", name) for name, member in members} | set(lists)
