"""Cuts the work of a publication that is too large for one function into parts, which are done side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pageturner.publish.making import Maker

What = Literal["scatter", "merge", "tell"]


@dataclass(frozen=True)
class Part:
    """A part: `what` is done to the chunk or bucket `index` of the plan under a prefix."""

    plan: str
    what: What
    index: int


def make(maker: Maker) -> dict[str, Any] | None:
    """Make the files of a publication, or return the parts that are to be done next; None if all files are there.

    Raises `SinkError` and `CannotPublishError`.
    """
    not_merged = maker.not_merged()
    if not not_merged:
        return None
    if maker.plan.publication.buckets == 1:
        maker.make_whole()
        return None
    if not_scattered := maker.not_scattered():
        return parts_of(maker, "scatter", not_scattered)
    return parts_of(maker, "merge", not_merged)


def parts_of(maker: Maker, what: What, indexes: list[int]) -> dict[str, Any]:
    """Put the list of parts, and return where it is, as the state machine reads it. Raises `SinkError`."""
    key = f"{maker.plan.prefix}{what}.json"
    maker.stores.pages.put_json(key, [asdict(Part(maker.plan.prefix, what, index)) for index in indexes])
    return {"next": "parts", "parts": {"bucket": maker.stores.pages.bucket, "key": key}}
