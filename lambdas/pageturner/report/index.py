"""Keeps the page of all runs, in which each run is added when it has ended.

The page holds its own data. Whoever adds a run reads it, and puts it only if nobody else has meanwhile. Nothing else
depends on it: it is made anew from the history when it is gone, or cannot be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError

from pageturner.errors import SinkError
from pageturner.messages import count_of
from pageturner.report.page import CONTENT_TYPE, data_in, page_of
from pageturner.report.reporting import word_of
from pageturner.report.runs import (
    COLUMNS,
    DAYS,
    ShownRun,
    all_in,
    latest_in,
    merged,
    of_crawl_in,
    of_history,
    packed,
    unpacked,
)
from pageturner.stores import Stores
from pageturner.stores.history import HistoryRow
from pageturner.stores.keys import INDEX
from pageturner.stores.page_store import Version

# Others can come in between. Each time, one of all that try succeeds.
_ATTEMPTS = 20


@dataclass(frozen=True)
class Index:
    """The page of all runs."""

    stores: Stores

    def add(self, row: HistoryRow) -> None:
        """Add a run. Repeating this is harmless, and an earlier generation does not replace a later one.

        Raises `SinkError`, also if others keep putting the page: another attempt may succeed.
        """
        pages, history = self.stores.pages, self.stores.history
        for _ in range(_ATTEMPTS):
            # In this order: if another page is put in between, it is read, and this one is not put.
            there = pages.version(INDEX)
            runs = self._runs() if there is not None else None
            if runs is None:
                runs = all_in(history)
            is_known = row.crawl in {run.crawl for run in runs}
            # Others of the crawl were stopped, or killed before they were added; or it was left out for other crawls.
            found = latest_in(history, row.crawl) if is_known else of_crawl_in(history, row.crawl)
            if self._put(index_of(merged(runs, [*found, of_history(row)])), there):
                return
        raise SinkError(f"could not write s3://{pages.bucket}/{INDEX}: others put it {_ATTEMPTS} times meanwhile")

    def _put(self, text: str, there: Version | None) -> bool:
        """Put the page instead of the version that is there. Returns False if others put it now, or have put it."""
        try:
            return self.stores.pages.put_text(INDEX, [text], dict, there, CONTENT_TYPE)
        except SinkError as error:
            # S3 API Reference, "PutObject": another write was under way at the same time.
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ConditionalRequestConflict":
                return False
            raise

    def _runs(self) -> list[ShownRun] | None:
        """Return the runs of the page that is there, or None if it cannot be read."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "index.html"
            if not self.stores.pages.download(INDEX, path):
                return None
            with path.open(encoding="ascii", errors="replace") as lines:
                data = data_in(lines)
        try:
            return unpacked(data) if data is not None else None
        except ValueError:
            return None


def index_of(runs: Sequence[ShownRun]) -> str:
    """Return the page that shows these runs, which are in order of crawl and start, the latest first."""
    latest = [next(of_crawl) for _, of_crawl in groupby(runs, key=lambda run: run.crawl)]
    words = Counter(word_of(run.outcome, run.verdict) for run in latest)
    found = ", ".join(f"{number:,} {word}" for word, number in words.most_common())
    texts = {"headline": f"{count_of(len(latest), 'crawl')}: {found}" if latest else "No crawl has run yet"}
    return page_of("index", texts, {"columns": COLUMNS, "days": DAYS, "runs": packed(runs)})
