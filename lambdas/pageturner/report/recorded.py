"""What the history says of the runs that the page of all runs shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from pageturner.messages import shortened
from pageturner.page_state import Run
from pageturner.report.runs import COLUMNS, MOST_OF_RECENT_DAY, ShownRun, merged, shown_of, without_past
from pageturner.stores.history import CrawlStatus, History, HistoryRow

# So many of a crawl are read that the page does not have yet.
_MOST_OF_CRAWL = 1_000
_LONGEST_MESSAGE = 300


def of_history(row: HistoryRow) -> ShownRun:
    """Return a row of the history as the page has it."""
    found = {name: getattr(row, name) for name in COLUMNS}
    return ShownRun(**{**found, "message": shortened(row.message or "", _LONGEST_MESSAGE)})


def brought_up_to_date(history: History, page: Sequence[ShownRun], run: Run, crawl: str) -> list[ShownRun]:
    """Return the runs of a page, with a run and how every crawl is by now; more than are shown. Raises `SinkError`.

    What nobody has added is found here: runs that were killed, or of which only the page was not put. All of it is
    read after the page, so it is never older than what it replaces.
    """
    statuses = history.crawls()
    known = {each.run_id: each for each in page}
    said = [each for status in statuses for each in _said(status, known)]
    found = merged(without_past(page, {status.crawl for status in statuses}), said)
    there, shown = {each.crawl for each in page}, {each.crawl for each in shown_of(found)}
    changed = {each.crawl for each in said}
    rows = [
        row
        for name in sorted((shown & changed) | (shown - there) | {crawl})
        for row in islice(history.runs(name), MOST_OF_RECENT_DAY if name in there else _MOST_OF_CRAWL)
    ]
    if (own := history.run(run, crawl)) is not None:
        rows.append(own)
    return merged(found, [of_history(row) for row in rows if row.ended_at is not None])


def _said(status: CrawlStatus, known: Mapping[str, ShownRun]) -> Iterator[ShownRun]:
    """Yield what the status of a crawl says otherwise than the page: of its latest run, and its last complete one.

    The row of the latter can have expired.
    """
    latest, complete = status.run_id, status.complete_run_id
    if latest is not None and status.started_at is not None and status.ended_at is not None:
        before = known.get(latest)
        if before is None or (before.outcome, before.ended_at) != (status.outcome, status.ended_at):
            yield replace(
                before or ShownRun(latest, status.crawl, status.started_at, as_catalogued=latest == complete),
                ended_at=status.ended_at,
                outcome=status.outcome,
                verdict=status.verdict,
                message=shortened(status.message or "", _LONGEST_MESSAGE),
            )
    if complete is not None and status.complete_started_at is not None and complete not in {*known, latest}:
        about = (complete, status.crawl, status.complete_started_at)
        yield ShownRun(*about, as_catalogued=True, ended_at=status.complete_ended_at, outcome="succeeded")
