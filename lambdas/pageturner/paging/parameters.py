"""A target's parameters: JSON wherever they travel, and botocore's own types where a request is made of them.

JSON has no bytes, so a blob is base64 text everywhere: in the catalogue, as in the AWS CLI, and in the items that
`for_each` takes parameters from. botocore would send that text itself as the bytes, and find nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import OperationModel
from botocore.validate import ParamValidator

from pageturner.messages import shown


def for_botocore(model: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters for a method of boto3: the blobs of the operation's input are bytes.

    What is not base64 stays as it is; `wrong_parameters` reports it.
    """
    return {name: _decoded(_members(model).get(name), value) for name, value in parameters.items()}


def wrong_parameters(model: OperationModel, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with parameters: what botocore's own validation finds, and blobs that are not base64."""
    shape = model.input_shape
    if shape is None:
        return
    report = ParamValidator().validate(dict(parameters), shape)
    if report.has_errors():
        yield from report.generate_report().splitlines()
    else:
        yield from _wrong_blobs(shape, parameters, "")


def _members(model: OperationModel) -> Mapping[str, Any]:
    return model.input_shape.members if model.input_shape else {}


def _decoded(shape: Any, value: Any) -> Any:
    kind = getattr(shape, "type_name", None)
    if kind == "blob" and isinstance(value, str):
        return _bytes(value)
    if kind == "structure" and isinstance(value, Mapping):
        return {name: _decoded(shape.members.get(name), member) for name, member in value.items()}
    if kind == "map" and isinstance(value, Mapping):
        return {name: _decoded(shape.value, member) for name, member in value.items()}
    if kind == "list" and isinstance(value, list | tuple):
        return [_decoded(shape.member, member) for member in value]
    return value


def _wrong_blobs(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yield each blob that is not base64, in parameters whose types are right."""
    if shape is None or value is None:
        return
    if shape.type_name == "blob":
        if isinstance(value, str) and isinstance(_bytes(value), str):
            right = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
            yield (
                f"Invalid value for parameter {path}: {shown(value)} is not base64, as bytes must be; "
                f"for the bytes of this text, write {shown(right)}"
            )
    elif shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, member in value.items():
            yield from _wrong_blobs(shape.members.get(name), member, f"{path}.{name}".removeprefix("."))
    elif shape.type_name == "map":
        for name, member in value.items():
            yield from _wrong_blobs(shape.value, member, f"{path}.{name}")
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _wrong_blobs(shape.member, member, f"{path}[{number}]")


def _bytes(text: str) -> bytes | str:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text
