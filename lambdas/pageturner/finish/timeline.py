"""When the pages of a run were fetched, in bins of the same width: how a run went, however long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.stores.checkpoints import PageRecord

# The width doubles when there are more bins. They begin with the run, so the order in which pages come does not matter.
MOST_BINS = 240
_COUNTED = ("pages", "items", "milliseconds")


@dataclass
class Timeline:
    """The pages of all passes, with their items and the milliseconds that fetching and writing took: a number a bin.

    Bins are `seconds` wide. The first one begins at `begins_at` (ISO 8601), when the run did, and the last one has a
    page.
    """

    begins_at: str
    seconds: int = 1
    pages: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    milliseconds: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = datetime.fromisoformat(self.begins_at)

    def add(self, record: PageRecord) -> None:
        """Add a page. Clocks can differ: what was fetched before the run began counts as its beginning."""
        elapsed = (datetime.fromisoformat(record.fetched_at) - self._began).total_seconds()
        while (bin_number := max(int(elapsed // self.seconds), 0)) >= MOST_BINS:
            self._double()
        missing = bin_number + 1 - len(self.pages)
        for name in _COUNTED:
            getattr(self, name).extend([0] * missing)
        self.pages[bin_number] += 1
        self.items[bin_number] += record.items
        self.milliseconds[bin_number] += record.milliseconds

    def as_dict(self) -> dict[str, Any]:
        """The timeline as JSON."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Timeline:
        """The inverse of `as_dict`."""
        lists = {name: list(document[name]) for name in _COUNTED}
        return cls(document["begins_at"], document["seconds"], **lists)

    def _double(self) -> None:
        self.seconds *= 2
        for name in _COUNTED:
            setattr(self, name, _pairs(getattr(self, name)))


def _pairs(numbers: Sequence[int]) -> list[int]:
    return [sum(numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
