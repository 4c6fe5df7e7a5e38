"""The format of all that is stored or passed on: it outlives the version of Pageturner that wrote it.

Runs go on while a new version is deployed, and what is published stays. So a version reads what all earlier ones have
written; what is new has a default. What a newer one has written, it reads without what it does not know, after a
rollback. Where that would be wrong, the newer version has a higher `FORMAT`, and earlier ones refuse to go on.

Format 1 has no number: it is that of the versions which knew no formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pageturner.errors import SinkError

FORMAT = 2


def stamped(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with the format in which it is written."""
    return {**document, "format": FORMAT}


def readable(document: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """Return a document if this version can read it. Raises `SinkError`; `what` names it there.

    That error is retried, because functions are not all deployed at once, and ends nothing that cannot be resumed.
    """
    if (found := document.get("format", 1)) > FORMAT:
        raise SinkError(
            f"a newer version of Pageturner has written {what}, in format {found}, and this one reads formats up to "
            f"{FORMAT}; deploy the newer version again, and then redrive the execution or resume the run"
        )
    return document


def known(kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataclass has of a document: a record of another version can have more."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in document.items() if name in names}
