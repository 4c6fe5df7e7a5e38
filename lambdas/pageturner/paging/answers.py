"""What an answer says about itself: that it is not whole, that parts of it failed, or that it is no answer at all.

botocore looks only at the token. An answer without one ends a listing, whatever else it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from botocore.model import OperationModel

from pageturner.paging import pagination

# Booleans that say, when true, that there is more than was returned.
_MORE = re.compile(r"\w*truncated|hasmore\w*|more\w*|additional\w*(available|pending)", re.I)
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
    r"\w*IN_?PROGRESS\w*|\w*PENDING(EVALUATION)?|ONGOING|PLANNING|PREPARING|PROCESSING|QUEUED|RUNNING|SCHEDULED|SUBMITTED|INITIALI[SZ]ED|STOPPING|CANCELLING|UNKNOWN",
    re.I,
)
_FAILED = re.compile(
    r"\w*FAILED|\w*FAILURE|\w*WITH_?ERRORS|PARTIAL\w*|INCOMPLETE|ABORTED|CANCELL?ED|ERROR|EXPIRED|STOPPED|TIMED_?OUT|TIMEOUT",
    re.I,
)
# Statuses of this kind of which only the documentation names the values.
_STATUS_WITHOUT_ENUM = {("network-firewall", "GetAnalysisReportResults"): (("Status",),)}

# The members of an error that have its code; others have names, ids and sentences.
_CODE = re.compile(r"(\w*(error|exception|failure|status|warn)\w*)?(code|reason|status|type)", re.I)

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

Path = tuple[str, ...]
# What is known of the operation of a page; each holds the model of its service.
_MOST_MODELS = 16


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
        for path in ([] if _name(model) in _WHOLE_IF_FAILED or _is_one_thing(model, paginator) else _statuses(model))
        if isinstance(status := _at(response, path), str) and _FAILED.fullmatch(status)
    ]
    # What describes one thing has its errors among its members, unless it is asked about several.
    if _is_one_thing(model, paginator) and not model.name.startswith("Batch"):
        return found
    return found + errors_in_members(
        model, response, [path for path in error_members(model) if ".".join(path) not in results]
    )


def errors_in_members(
    model: OperationModel, response: Mapping[str, Any], members: Iterable[Path]
) -> list[dict[str, Any]]:
    """Return the errors in some of the `error_members` of an output, as `errors_inside` does."""
    found: list[dict[str, Any]] = []
    for path in members:
        member = ".".join(path)
        if not (value := _at(response, path)):
            continue
        if value is True:
            found.append({"member": member, "error": path[-1]})
            continue
        if isinstance(value, Mapping) and not _is_map(model, path):
            # A structure of flags, none of which is raised, is no error.
            value = [value] if any(each is not False for each in value.values()) else []
        errors = value if isinstance(value, list) else [{name: each} for name, each in value.items()]
        found += [{"member": member, "error": error} for error in errors]
    return found


def words_in(error: Any) -> set[str]:
    """Return the texts in an error, one of which is its code."""
    if isinstance(error, Mapping):
        return {value for value in error.values() if isinstance(value, str)}
    return {error} if isinstance(error, str) else set()


def codes_in(found: Mapping[str, Any]) -> set[str]:
    """Return the codes of one of the `errors_inside`, by which a crawl can accept it. They are no values of items."""
    member, error = found["member"].rpartition(".")[2], found["error"]
    if isinstance(error, str):  # a flag, or a status; a list can have names instead
        return {error} if error == member or _FAILED.fullmatch(error) else set()
    texts = error.items() if isinstance(error, Mapping) else ()
    return {text for name, text in texts if isinstance(text, str) and text.isidentifier() and _CODE.fullmatch(name)}


def running_status(model: OperationModel, paginator: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    """Return the member that says that the work that makes the listing goes on, like ``status: Running``, or None."""
    for path in () if _is_one_thing(model, paginator) else _statuses(model):
        value = _at(response, path)
        if isinstance(value, str) and _RUNNING.fullmatch(value):
            return f"{'.'.join(path)}: {value}"
    return None


def has_nothing_of(model: OperationModel, response: Mapping[str, Any]) -> bool:
    """Return whether a parsed response has no member of the operation's output, although its body should have some."""
    shape = body_shape(model)
    if shape is None:
        return False
    payload = model.output_shape.serialization.get("payload") if model.output_shape is not None else None
    body = response.get(payload) or {} if payload else response
    return not members_of(shape) & body.keys()


def may_be_empty(model: OperationModel, paginator: Mapping[str, Any]) -> bool:
    """Return whether the model allows an output without the members that lead to its items."""
    required = set(model.output_shape.required_members) if model.output_shape is not None else set()
    if pagination.WHOLE in pagination.result_keys(paginator):
        return not required
    return not required & {key.partition(".")[0] for key in pagination.result_keys(paginator)}


def _is_one_thing(model: OperationModel, paginator: Mapping[str, Any]) -> bool:
    """Whether an answer lists nothing, but describes one thing, whose status and errors are its own."""
    if pagination.input_tokens(paginator) or not (names := pagination.result_keys(paginator)):
        return False
    shape = pagination.result_shape(model, names[0])
    return getattr(shape, "type_name", "structure") not in ("list", "map")


def _at(response: Any, path: Path) -> Any:
    for name in path:
        response = response.get(name) if isinstance(response, Mapping) else None
    return response


def _is_map(model: OperationModel, path: Path) -> bool:
    shape: Any = model.output_shape
    for name in path:
        shape = shape.members[name]
    return bool(shape.type_name == "map")


@lru_cache(maxsize=_MOST_MODELS)
def _members(model: OperationModel) -> tuple[tuple[Path, Any], ...]:
    """The members of an output, at the top and one structure down."""
    top = model.output_shape.members if model.output_shape is not None else {}
    return tuple(_with_members_below(top))


def _with_members_below(top: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for name, shape in top.items():
        yield (name,), shape
        if shape.type_name == "structure":
            yield from (((name, below), inner) for below, inner in shape.members.items())


@lru_cache(maxsize=_MOST_MODELS)
def _completeness(model: OperationModel) -> tuple[tuple[Path, bool], ...]:
    booleans = [path for path, shape in _members(model) if shape.type_name == "boolean"]
    return (
        *((path, True) for path in booleans if _MORE.fullmatch(path[-1])),
        *((path, False) for path in booleans if _ALL.fullmatch(path[-1])),
    )


@lru_cache(maxsize=_MOST_MODELS)
def error_members(model: OperationModel) -> tuple[Path, ...]:
    """The paths of the members of an output that hold errors about parts of the result."""
    return tuple(path for path, shape in _members(model) if _holds_errors(path, shape))


def _holds_errors(path: Path, shape: Any) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", path[-1])}
    if words >= {"partial", "results"}:
        return shape.type_name in ("boolean", "structure", "list")
    if shape.type_name not in ("list", "map") and not (shape.type_name == "structure" and len(path) == 1):
        return False
    element = shape.member if shape.type_name == "list" else shape
    return bool(words & _ERROR_WORDS) or (bool(words & _WARNINGS) and element.type_name == "structure")


@lru_cache(maxsize=_MOST_MODELS)
def _statuses(model: OperationModel) -> tuple[Path, ...]:
    if _name(model) in _OTHER_STATUS:
        return ()
    if _name(model) in _STATUS_WITHOUT_ENUM:
        return _STATUS_WITHOUT_ENUM[_name(model)]
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


def body_shape(model: OperationModel) -> Any:
    """The shape of the body of a response, or None if it has no members or is not parsed."""
    shape: Any = model.output_shape
    if shape is not None and (payload := shape.serialization.get("payload")):
        shape = shape.members[payload]
    return shape if shape is not None and shape.type_name == "structure" and members_of(shape) else None


def members_of(shape: Any) -> set[str]:
    return {name for name, member in shape.members.items() if "location" not in member.serialization}
