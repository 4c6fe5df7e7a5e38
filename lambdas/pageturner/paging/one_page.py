"""Operations whose answer is everything: listings of one page.

Nothing that pages may be taken for one page. So a name that looks like a token, in the parameters or in the output,
is enough not to believe it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from pageturner.paging import answers
from pageturner.paging.pagination import WHOLE

# Parameters that could take a token, or say where a list begins…
_TAKES = re.compile(
    r"(next\w*|page|pagination|continuation|starting)?token|\w*marker|(next\w*|start\w*)?(cursor|position)"
    r"|exclusivestart\w+|\w*offset|next\w+|page(number)?",
    re.I,
)
# … and members of an output that could be one.
_GIVES = re.compile(
    r"(next\w*|page|pagination|continuation)token|\w*marker|lastevaluated\w+"
    r"|next\w*(cursor|position|offset|index|iterator)|next(record|page|batch|start)\w*",
    re.I,
)
_GIVES_MORE = re.compile(r"hasmore\w+", re.I)
_NEXT = re.compile(r"next(?P<of>\w+)", re.I)
_LIMITS = re.compile(r"(max(imum)?_?(results?|records?|items?|keys)|limit|(maximum)?page_?size)", re.I)
_SCALARS = ("string", "integer", "long", "boolean")
# Names that look like tokens, and are none: their documentation strings in botocore.
_NO_TOKENS: Mapping[tuple[str, str], str] = {
    # "The token identifier": the currency whose balance is asked for.
    ("bedrock-agentcore", "GetPaymentInstrumentBalance"): "token",
    # What the inventory job was asked for, if it was for a part: "An opaque string that represents where to continue
    # pagination of the vault inventory retrieval results".
    ("glacier", "DescribeJob"): "InventoryRetrievalParameters.Marker",
    # "Refresh token, encoded as a JSON Web Token (JWT)".
    ("license-manager", "GetAccessToken"): "Token",
    # "The page number" of the loads' own error report, which `errors` asks for (Neptune User Guide, Get-Status).
    ("neptunedata", "GetLoaderJobStatus"): "page",
}


@dataclass(frozen=True)
class OnePage:
    """The definition of a listing of one page, or why it is none.

    `missing` says what a crawl would have to state to page it; `refused` that nothing a crawl states could.
    """

    definition: Mapping[str, Any]
    missing: str | None = None
    refused: str | None = None


def one_page(model: OperationModel) -> OnePage:
    """Return whether the answer of an operation is all that it lists, and where its items are."""
    if model.has_streaming_output or model.has_event_stream_output:
        return OnePage({}, refused="its answer is a stream, and no listing")
    outputs = dict(_scalars(model, model.output_shape))
    takes = [name for name, _ in _scalars(model, model.input_shape) if "." not in name and _TAKES.fullmatch(name)]
    gives = [path for path, shape in outputs.items() if _gives(path.rpartition(".")[2], shape)]
    if takes:
        said = f"and {gives[0]} in its output too" if gives else "but nothing in its output matches it"
        return OnePage({}, missing=f"its parameter {takes[0]} looks like a token, {said}")
    if pair := _pair(model, outputs):
        return OnePage({}, missing=f"its parameter {pair[0]} looks as if it took {pair[1]} of its output")
    if gives:
        return OnePage({}, refused=f"its output has {gives[0]}, and it has no parameter that takes it")
    if model.output_shape is None or not model.output_shape.members:
        return OnePage({}, refused="its answer is empty")
    limits = [name for name, _ in _scalars(model, model.input_shape) if "." not in name and _LIMITS.fullmatch(name)]
    if limits:
        return OnePage({}, refused=f"its parameter {limits[0]} limits what it lists, and it has none for the rest")
    return OnePage({"result_key": _result_key(model)})


def _gives(name: str, shape: Any) -> bool:
    return bool((_GIVES_MORE if shape.type_name == "boolean" else _GIVES).fullmatch(name))


def _scalars(model: OperationModel, shape: Any) -> Iterator[tuple[str, Any]]:
    """Yield the scalars at the top of an input or output, and one structure down, by their paths."""
    no_token = _NO_TOKENS.get((str(model.service_model.service_name), model.name))
    for name, member in (shape.members if shape is not None else {}).items():
        below = member.members.items() if member.type_name == "structure" else ()
        for path, each in ((name, member), *((f"{name}.{inner}", each) for inner, each in below)):
            if each.type_name in _SCALARS and path != no_token:
                yield path, each


def _pair(model: OperationModel, outputs: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return a parameter and the member of the output that continues it: DNSName and NextDNSName."""
    parameters = {name.lower(): name for name in (model.input_shape.members if model.input_shape is not None else {})}
    for path in outputs:
        if found := _NEXT.fullmatch(path.rpartition(".")[2]):
            for taken in (found["of"].lower(), f"start{found['of'].lower()}"):
                if taken in parameters:
                    return parameters[taken], path
    return None


def _result_key(model: OperationModel) -> str:
    """Return the only list of an output, or else the whole answer.

    Beside it may be errors about parts of the result, numbers and flags (CloudFront's Quantity), and what the request
    says too. Where anything else is there, the list is one of the members of what the answer describes.
    """
    held = list(_could_hold_items(model))
    if len(held) != 1 or held[0][1] != "list":
        return WHOLE
    path = held[0][0]
    said = {name.lower() for name in (model.input_shape.members if model.input_shape is not None else {})}
    errors = {".".join(each) for each in answers.error_members(model)}
    shape: Any = model.output_shape
    above = ""
    for name in path.split("."):
        for other, its in shape.members.items():
            is_beside = its.type_name in ("integer", "long", "boolean") or other.lower() in {*said, "requestid"}
            if other != name and not is_beside and f"{above}{other}" not in errors:
                return WHOLE
        shape, above = shape.members[name], f"{above}{name}."
    return path


def _could_hold_items(model: OperationModel) -> Iterator[tuple[str, str]]:
    from pageturner.paging.paginators import could_hold_items

    errors = {".".join(path) for path in answers.error_members(model)}
    for path, kind in could_hold_items(model.output_shape.members if model.output_shape is not None else {}):
        if not errors & {path, path.partition(".")[0]}:
            yield path, kind
