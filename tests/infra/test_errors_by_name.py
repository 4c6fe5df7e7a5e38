"""The saved query "Errors by name": functions that raised an error, and those that Lambda has ended."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from infra import log_queries


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"errorType": "SinkError", "errorMessage": "…"}, "SinkError"),
        ({"type": "platform.report", "record": {"status": "timeout"}}, "timeout"),
        (
            {"type": "platform.report", "record": {"status": "error", "errorType": "Runtime.OutOfMemory"}},
            "Runtime.OutOfMemory",
        ),
        # Beside these, Lambda says the same a second time.
        ({"type": "platform.runtimeDone", "record": {"status": "timeout"}}, None),
        ({"type": "platform.report", "record": {"status": "error", "errorType": "Function.Unknown"}}, None),
        ({"message": "run reported"}, None),
    ],
)
def test_errors_by_name_has_who_was_killed(line: dict[str, Any], error: str | None) -> None:
    """Insights is not to be had here: its filter and its group, in Python."""
    text = next(query.text for query in log_queries.SAVED if query.name == "Errors by name")
    condition = text.partition("filter ")[2].partition("\n| ")[0].replace("\n", " ").replace(" = ", " == ")
    condition = re.sub(r'([\w.]+) like ("[^"]*")', r"\2 in \1", condition).replace("record.", "record_")
    fields = dict.fromkeys(("errorType", "type", "record_status", "record_errorType"), "")
    fields |= {path.replace("record.", "record_"): value for path, value in _values(line)}
    group = re.search(r"coalesce\((.*?)\)", text)
    assert group is not None
    names = group[1].replace("record.", "record_").split(", ")
    found = next((fields[name] for name in names if fields[name]), None)
    holds = eval(condition, {"ispresent": bool}, fields)  # noqa: S307 - our own text
    assert (found if holds else None) == error


def _values(line: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in line.items():
        if isinstance(value, Mapping):
            yield from _values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
