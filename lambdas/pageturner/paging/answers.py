"""What an answer says about itself: that it is not whole, that parts of it failed, or that it is no answer at all.

botocore looks only at the token. An answer without one ends a listing, whatever else it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from xml.etree import ElementTree

from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from pageturner.paging import pagination

# Booleans that say, when true, that there is more than was returned.
_MORE = re.compile(
    r"(is)?truncated|hasmore\w*|more(results|data|items)?(available)?|additional\w*(available|pending)", re.I
)
# Booleans that say so when false (resource-explorer-2 search: Count.Complete).
_ALL = re.compile(r"(is)?complete", re.I)
# Words in the names of members that hold errors about parts of the result.
_ERROR_WORDS = {"error", "errors", "failed", "failure", "failures", "rejected", "skipped", "unprocessed"}
# apigateway's warnings are plain text about an import; others have a code (textract).
_WARNINGS = {"warning", "warnings"}
_STATUS = re.compile(r"status|state", re.I)
# The structures whose status is that of the work that makes the listing. In others, it is that of a resource.
_WORK = re.compile(r"status|state|job|execution|query|record|plan|scan", re.I)
_RUNNING = re.compile(
    r"\w*IN_?PROGRESS\w*|\w*PENDING|ONGOING|PLANNING|PREPARING|PROCESSING|QUEUED|RUNNING|SCHEDULED|SUBMITTED|INITIALI[SZ]ED",
    re.I,
)
_FAILED = re.compile(r"\w*FAILED|\w*FAILURE|ABORTED|CANCELL?ED|ERROR|EXPIRED|STOPPED|TIMED_?OUT|TIMEOUT", re.I)

# A status that is not about what is listed: a reservation's, and one that repeats the filter StateEquals.
_OTHER_STATUS = {
    ("ec2", "GetCapacityReservationUsage"),
    ("transcribe", "ListMedicalVocabularies"),
    ("transcribe", "ListVocabularies"),
}
# They describe something with its parts, which are whole also if it has failed.
_WHOLE_IF_FAILED = {
    ("arc-region-switch", "GetPlanExecution"),
    ("cloudformation", "DescribeChangeSet"),
    ("iotsitewise", "DescribePipelineExecution"),
    ("sagemaker", "DescribeFeatureGroup"),
    ("servicecatalog", "DescribeProvisionedProductPlan"),
    ("servicecatalog", "DescribeRecord"),
}

_CBOR = "smithy-rpc-v2-cbor"
_CBOR_MAP = 5  # RFC 8949: the major type is in the first three bits

Path = tuple[str, ...]


def truncated_by(model: OperationModel, response: Mapping[str, Any]) -> str | None:
    """Return the member that says that the listing continues, like ``IsTruncated: true``, or None."""
    for path, when in _completeness(model):
        value = _at(response, path)
        if isinstance(value, bool) and value is when:
            return f"{'.'.join(path)}: {json.dumps(value)}"
    return None


def errors_inside(
    model: OperationModel, paginator: Mapping[str, Any], response: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the errors about parts of the result, as ``{"member": path, "error": value}``.

    The status of work that has failed is one of them: what it had found until then is not whole.
    """
    results = pagination.result_keys(paginator)
    found: list[dict[str, Any]] = [
        {"member": ".".join(path), "error": status}
        for path in ([] if _name(model) in _WHOLE_IF_FAILED else _statuses(model))
        if isinstance(status := _at(response, path), str) and _FAILED.fullmatch(status)
    ]
    for path in _error_members(model):
        member = ".".join(path)
        if member in results or not (value := _at(response, path)):
            continue
        if isinstance(value, Mapping) and not _is_map(model, path):
            value = [value]
        errors = value if isinstance(value, list) else [{name: each} for name, each in value.items()]
        found += [{"member": member, "error": error} for error in errors]
    return found


def words_in(error: Any) -> set[str]:
    """Return the texts in an error, one of which is its code."""
    if isinstance(error, Mapping):
        return {value for value in error.values() if isinstance(value, str)}
    return {error} if isinstance(error, str) else set()


def running_status(model: OperationModel, response: Mapping[str, Any]) -> str | None:
    """Return the member that says that the work that makes the listing goes on, like ``status: Running``, or None."""
    for path in _statuses(model):
        value = _at(response, path)
        if isinstance(value, str) and _RUNNING.fullmatch(value):
            return f"{'.'.join(path)}: {value}"
    return None


def has_nothing_of(model: OperationModel, response: Mapping[str, Any]) -> bool:
    """Return whether a parsed response has no member of the operation's output, although its body should have some."""
    shape = _body(model)
    if shape is None:
        return False
    payload = model.output_shape.serialization.get("payload") if model.output_shape is not None else None
    body = response.get(payload) or {} if payload else response
    return not _members_of(shape) & body.keys()


def may_be_empty(model: OperationModel, paginator: Mapping[str, Any]) -> bool:
    """Return whether the model allows an output without the members that lead to its items."""
    required = set(model.output_shape.required_members) if model.output_shape is not None else set()
    return not required & {key.partition(".")[0] for key in pagination.result_keys(paginator)}


def check_cbor(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse a body that is no CBOR map: a handler of botocore's ``before-parse`` event.

    botocore would take the first bytes of a text for the length of one, and ask for that much memory.
    Raises `botocore.parsers.ResponseParserError`.
    """
    if operation_model.service_model.resolved_protocol != _CBOR or _body(operation_model) is None:
        return
    body = response_dict["body"]
    if response_dict["status_code"] < 300 and (not body or body[0] >> 5 != _CBOR_MAP):
        raise ResponseParserError(f"the response to {operation_model.name} is not the service's: {body[:200]!r}")


def check_body(http_response: Any, parsed: Mapping[str, Any], model: OperationModel, **_: Any) -> None:
    """Refuse the body of an HTTP 200 that is not the service's: a handler of botocore's ``after-call`` event.

    botocore parses an empty body, or one of somebody else's, to a response without members, which would end a listing.
    Raises `botocore.parsers.ResponseParserError`.
    """
    if http_response.status_code >= 300 or model.has_streaming_output or not has_nothing_of(model, parsed):
        return
    body = http_response.content
    if not body.strip():
        raise ResponseParserError(f"the body of the response to {model.name} is empty")
    protocol = model.service_model.resolved_protocol
    names = _names_on_the_wire(_body(model))
    its_own = True
    if protocol in ("json", "rest-json"):
        its_own = _is_json_of(names, body)
    elif protocol in ("query", "ec2", "rest-xml"):
        its_own = _is_xml_of(names, body)
    if not its_own:
        raise ResponseParserError(f"the response to {model.name} is not the service's: {body[:200]!r}")


def _is_json_of(names: set[str], body: bytes) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    # A service may leave out all members that it has no value for, and have new ones. An error is not an answer.
    return isinstance(document, dict) and (
        not document or bool(names & document.keys()) or not {"message", "error"} & {name.lower() for name in document}
    )


def _is_xml_of(names: set[str], body: bytes) -> bool:
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - botocore has parsed it already
    except ElementTree.ParseError:
        return False
    tags = {_local(element.tag) for element in root.iter()}
    # An empty result has no children, or only the wrapper and the metadata of the query protocol.
    return not tags & {"html", "Error"} and (bool(names & tags) or len(root) <= 2)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _at(response: Any, path: Path) -> Any:
    for name in path:
        response = response.get(name) if isinstance(response, Mapping) else None
    return response


def _is_map(model: OperationModel, path: Path) -> bool:
    shape: Any = model.output_shape
    for name in path:
        shape = shape.members[name]
    return bool(shape.type_name == "map")


@cache
def _members(model: OperationModel) -> tuple[tuple[Path, Any], ...]:
    """The members of an output, at the top and one structure down."""
    top = model.output_shape.members if model.output_shape is not None else {}
    return tuple(_with_members_below(top))


def _with_members_below(top: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, shape in top.items():
        yield (name,), shape
        if shape.type_name == "structure":
            yield from (((name, below), inner) for below, inner in shape.members.items())


@cache
def _completeness(model: OperationModel) -> tuple[tuple[Path, bool], ...]:
    booleans = [path for path, shape in _members(model) if shape.type_name == "boolean"]
    return (
        *((path, True) for path in booleans if _MORE.fullmatch(path[-1])),
        *((path, False) for path in booleans if _ALL.fullmatch(path[-1])),
    )


@cache
def _error_members(model: OperationModel) -> tuple[Path, ...]:
    return tuple(path for path, shape in _members(model) if _holds_errors(path, shape))


def _holds_errors(path: Path, shape: Any) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", path[-1])}
    if words >= {"partial", "results"}:
        return shape.type_name in ("boolean", "structure", "list")
    if shape.type_name not in ("list", "map") and not (shape.type_name == "structure" and len(path) == 1):
        return False
    element = shape.member if shape.type_name == "list" else shape
    return bool(words & _ERROR_WORDS) or (bool(words & _WARNINGS) and element.type_name == "structure")


@cache
def _statuses(model: OperationModel) -> tuple[Path, ...]:
    if _name(model) in _OTHER_STATUS:
        return ()
    # A status that the request has too only repeats its filter.
    filters = {name.lower() for name in model.input_shape.members} if model.input_shape is not None else set()
    return tuple(
        path
        for path, shape in _members(model)
        if shape.type_name == "string"
        and _STATUS.search(path[-1])
        and path[-1] != "ExecutionStatus"  # cloudformation's: whether a change set, which is whole, is being executed
        and path[-1].lower() not in filters
        and (len(path) == 1 or _WORK.search(path[0]))
        and any(_RUNNING.fullmatch(value) for value in shape.enum)
    )


def _name(model: OperationModel) -> tuple[str, str]:
    return model.service_model.service_name, model.name


def _body(model: OperationModel) -> Any:
    """The shape of the body of a response, or None if it has no members or is not parsed."""
    shape: Any = model.output_shape
    if shape is not None and (payload := shape.serialization.get("payload")):
        shape = shape.members[payload]
    return shape if shape is not None and shape.type_name == "structure" and _members_of(shape) else None


def _members_of(shape: Any) -> set[str]:
    return {name for name, member in shape.members.items() if "location" not in member.serialization}


def _names_on_the_wire(shape: Any) -> set[str]:
    members = [(name, shape.members[name]) for name in _members_of(shape)]
    # The elements of a flattened list stand in place of the list.
    lists = [
        member.member.serialization.get("name", name)
        for name, member in members
        if member.type_name == "list" and member.serialization.get("flattened")
    ]
    return {member.serialization.get("name", name) for name, member in members} | set(lists)
