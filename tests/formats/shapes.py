"""The shapes of all that is stored and passed on: which members there are, of which types."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.formats.snapshot import Snapshot
from tests.machines.publishing_services import parquet_rows

Shapes = dict[str, set[str]]
# Names that are made: of runs, targets, numbers and hashes.
_MADE = re.compile(r"[^/#=.-]*\d[^/#=.-]*")
# Objects whose members have such names.
_NAMED = {"c", "b1", "b2", "b3"}


def shapes_of(stages: Iterable[Snapshot], calls: Iterable[tuple[str, Any, Any]]) -> Shapes:
    """Return the shapes, by what has them."""
    found: Shapes = {}
    for module, given, returned in calls:
        found.setdefault(f"{module} is given", set()).update(_paths(given))
        found.setdefault(f"{module} returns", set()).update(_paths(returned))
    for stage in stages:
        for name, row in stage.rows.items():
            found.setdefault(_kind(name), set()).update(_row_paths(row))
        for key, thing in stage.objects.items():
            found.setdefault(f"s3 {_kind(key)}", set()).update(_object_paths(thing))
    return found


def difference(before: Shapes, now: Shapes) -> list[str]:
    """Return how they differ, a line each."""
    return [
        f"{sign} {of}: {path}"
        for of in sorted(before.keys() | now.keys())
        for sign, paths in (
            ("-", before.get(of, set()) - now.get(of, set())),
            ("+", now.get(of, set()) - before.get(of, set())),
        )
        for path in sorted(paths)
    ]


def _kind(name: str) -> str:
    """The name of a row or an object without what differs."""
    kind = " ".join(_MADE.sub("*", part) for part in name.split(" ")).replace("*.*/", "*/")
    return re.sub(r"^(items c#.*) .*", r"\1 *", kind)


def _row_paths(row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in row.items():
        ((kind, text),) = value.items()
        name = re.sub(r"_[0-9a-f]{16}$", "_*", name)
        document = _as_json(text) if kind == "S" else None
        yield f"{name} ({kind})"
        if document is not None:
            yield from _paths(document, name)


def _object_paths(thing: Mapping[str, Any]) -> Iterator[str]:
    for name, text in thing.get("metadata", {}).items():
        yield f"metadata {name}"
        document = _as_json(text)
        if document is not None:
            yield from _paths(document, f"metadata {name}")
    if "token" in thing:
        yield "token in the header"
    if "lines" in thing:
        for line in thing["lines"]:
            yield from _paths(line)
    elif "text" in thing:
        # A page for people is read by people only.
        document = _as_json("".join(thing["text"]))
        if document is not None:
            yield from _paths(document)
    else:
        for row in parquet_rows([base64.b64decode(thing["base64"])])[:1]:
            yield from map(str, row)


def _paths(value: Any, at: str = "") -> Iterator[str]:
    """Yield the path of each member of a document, with its type."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            shown = "*" if name in _NAMED or re.search(r"\d{4}", name) else name
            yield from _paths(member, f"{at}.{shown}" if at else shown)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _paths(member, f"{at}[]")
    else:
        kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
        yield f"{at} ({kind})"


def _as_json(text: str) -> Any:
    """Return the document in a text, or None if it is none."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
