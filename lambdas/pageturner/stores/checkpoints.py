"""Checkpoints in the runs table: one record a page, which is the checkpoint after that page.

The checkpoint of a target is therefore its last page record. A late duplicate of an older page only rewrites that
page's own record, so it cannot move the checkpoint back.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from tempfile import SpooledTemporaryFile

from pageturner.page_state import Place, Run, Target
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, at_generation, write_units

# Of the compressed keys of a target's pages; what is longer is on disk.
_IN_MEMORY = 256 * 1024
_LONGEST_TEXT = 250_000
_LONGEST_ERRORS = 100_000
_TOO_LONG = json.dumps([{"error": f"the errors of this page are longer than {_LONGEST_ERRORS:,} characters"}])


@dataclass(frozen=True)
class PageRecord:
    """A written page: the `place` after it, its item count, its size, and the key of its object.

    `milliseconds` is how long fetching and writing took; `non_aggregate` is the JSON text of botocore's
    `non_aggregate_part`, which only the first page has, and `errors` that of the errors beside the page's items.
    `write_units` is known of a record that is read.
    """

    target_id: str
    pass_number: int
    page: int
    items: int
    bytes: int
    key: str
    place: Place
    non_aggregate: str | None = None
    fetched_at: str = ""
    milliseconds: int = 0
    errors: str | None = None
    write_units: int = 1

    @property
    def name(self) -> str:
        """The sort key of the record."""
        return keys.PAGE.format(self.target_id, self.pass_number, self.page)


def last_passes(records: Iterable[PageRecord]) -> Iterator[str]:
    """Yield the keys of the pages of each target's last pass: only they are its listing.

    The records must be in order of target, pass and page. Until all of a target's have come, its keys are on disk.
    """
    for _, of_target in groupby(records, key=lambda record: record.target_id):
        with SpooledTemporaryFile(_IN_MEMORY) as file:
            with gzip.open(file, "wt", compresslevel=1) as lines:
                for record in of_target:
                    last_pass = record.pass_number
                    if record.page > 0:
                        lines.write(f"{record.pass_number} {record.key}\n")
            file.seek(0)
            with gzip.open(file, "rt") as lines:
                for line in lines:
                    pass_number, _, key = line.rstrip("\n").partition(" ")
                    if int(pass_number) == last_pass:
                        yield key


class CheckpointStore:
    """Records pages, and returns the checkpoint of each target."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def record_page(self, run: Run, record: PageRecord) -> None:
        """Move the checkpoint of a target past a page."""
        self._table.put(
            run,
            record.name,
            items=record.items,
            bytes=record.bytes,
            key=record.key,
            fetched_at=record.fetched_at,
            milliseconds=record.milliseconds,
            place=record.place.as_record(),
            # A DynamoDB item is at most 400 KB. A longer text is not a summary anyway, and is left out.
            non_aggregate=record.non_aggregate if len(record.non_aggregate or "") <= _LONGEST_TEXT else None,
            errors=record.errors if len(record.errors or "") <= _LONGEST_ERRORS else _TOO_LONG,
        )

    def begin_pass(self, run: Run, target: Target, place: Place) -> bool:
        """Move the checkpoint of a target to `place`, the first page of a pass. A late repeat cannot move it back.

        Returns False if the run has ended, or was resumed: whoever asks was given up, and the target may have ended.
        """
        return self._begin(run, target, place, f"({at_generation(run.generation)}) AND attribute_not_exists(summary)")

    def begin_anew(self, run: Run, target: Target, place: Place) -> bool:
        """Do the same before a run is resumed, when it has ended. Returns False if it was resumed meanwhile."""
        return self._begin(run, target, place, at_generation(run.generation))

    def _begin(self, run: Run, target: Target, place: Place, condition: str) -> bool:
        record = keys.PAGE.format(target.target_id, place.pass_number, 0)
        return self._table.put_while(run, condition, record, place=place.as_record())

    def checkpoint(self, run: Run, target_id: str) -> Place | None:
        """Return the place after the last written page of a target, or None if there is none yet."""
        found = self._table.last(run, keys.pages_of(target_id))
        return Place.from_dict(json.loads(found["place"]["S"])) if found is not None else None

    def ended(self, run: Run) -> set[str]:
        """Return the targets whose last page is recorded, or whose listing has failed."""
        found: set[str] = set()
        for record in self.pages(run):
            # The last record of a target counts: a pass that was begun anew has not ended.
            if record.place.next == "end":
                found.add(record.target_id)
            else:
                found.discard(record.target_id)
        return found

    def pages(self, run: Run, after: str = "") -> Iterator[PageRecord]:
        """Yield a run's page records in order of target, pass and page; page 0 is the beginning of a pass.

        If `after` is set, the name of a record, only those behind it.
        """
        for record, item in self._table.records(run, keys.prefix(keys.PAGE), keys.behind(after) if after else ""):
            _, target_id, pass_number, page = record.split("#")
            if int(page) == 0:
                yield PageRecord(
                    target_id, int(pass_number), 0, 0, 0, "", Place.from_dict(json.loads(item["place"]["S"]))
                )
                continue
            yield PageRecord(
                target_id,
                int(pass_number),
                int(page),
                items=int(item["items"]["N"]),
                bytes=int(item["bytes"]["N"]),
                key=item["key"]["S"],
                fetched_at=item["fetched_at"]["S"],
                milliseconds=int(item["milliseconds"]["N"]),
                place=Place.from_dict(json.loads(item["place"]["S"])),
                non_aggregate=item["non_aggregate"]["S"] if "non_aggregate" in item else None,
                errors=item["errors"]["S"] if "errors" in item else None,
                write_units=write_units(item),
            )
