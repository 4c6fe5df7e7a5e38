"""Says what botocore could not read in a response, and where."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from pageturner import errors

# The functions that make the client and the request (botocore/session.py, client.py, endpoint.py).
_BEFORE_THE_RESPONSE = {
    "create_client",
    "_emit_api_params",
    "_resolve_endpoint_ruleset",
    "_convert_to_request_dict",
    "create_request",
}


def unreadable(error: Exception) -> errors.PageturnerError:
    """Return the error for a value that botocore could not read: an `UNEXPECTED_VALUES`, or a parser's own error.

    A response can be cut or garbled on its way, so it is asked for again. If it stays so, the message says where.
    One that is nested too deeply for Python is whole, and stays so.
    """
    if isinstance(error, RecursionError):
        return errors.InvalidRequestError("the response is nested too deeply to be read")
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    if any(frame.f_code.co_name in _BEFORE_THE_RESPONSE for frame in frames):
        return errors.InvalidRequestError(f"botocore cannot make the request: {errors.said(error)}")
    place = "".join(step for frame in frames for step in _steps(frame)).lstrip(".")
    return errors.TransientError(
        f"botocore cannot read the response{f' at {place}' if place else ''}: {errors.said(error)}"
    )


def _steps(frame: FrameType) -> Iterator[str]:
    """Yield the step into the response that a function of botocore/parsers.py was taking, as JMESPath."""
    local: Mapping[str, Any] = frame.f_locals
    match frame.f_code.co_name:
        case "_handle_structure" if "member_name" in local:
            yield f".{local['member_name']}"
        case "_handle_list" if "item" in local:
            yield f"[{len(local['parsed'])}]"
        case "_handle_map" if "key_shape" in local:
            yield ".*"  # a key of a map is a value, too
        case "_parse_non_payload_attrs" if "name" in local:
            yield f".{local['name']}"
