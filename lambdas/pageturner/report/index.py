"""Keeps the page of all runs, in which each run is added when it has ended.

The page holds its own data. Whoever adds a run reads it, and puts it only if nobody else has meanwhile. Nothing else
depends on it: it is made anew from the history when it is gone, or cannot be read.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError

from pageturner.console import Console
from pageturner.errors import SinkError
from pageturner.messages import count_of
from pageturner.page_state import Run
from pageturner.report.page import CONTENT_TYPE, data_in, page_of
from pageturner.report.recorded import brought_up_to_date
from pageturner.report.reporting import word_of
from pageturner.report.runs import COLUMNS, DAYS, ShownRun, by_crawl, packed, shown_of, unpacked
from pageturner.stores import Stores
from pageturner.stores.keys import INDEX
from pageturner.stores.page_store import Version

# If others came in between, it waits for up to 100 ms, doubling to 5 s, while the function has time left to put it.
_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, _SECONDS_TO_PUT = 0.1, 5.0, 20.0


@dataclass(frozen=True)
class Index:
    """The page of all runs. `seconds_left` are those of the function; `chance` is between 0 and 1."""

    stores: Stores
    console: Console
    seconds_left: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def add(self, run: Run, crawl: str) -> None:
        """Add a run as the history has it, and what else has ended. Repeating this is harmless.

        Raises `SinkError`, also if others keep putting the page: another attempt may succeed.
        """
        pages = self.stores.pages
        for attempt in count():
            # In this order: what is read of the history is never older than the page. If another page is put in
            # between, it is read, and this one is not put.
            there = pages.version(INDEX)
            page = self._runs() if there is not None else None
            found = brought_up_to_date(self.stores.history, page or [], run, crawl)
            shown = shown_of(found)
            if attempt and page is not None and _of_run(run, page) == _of_run(run, shown):
                return  # others have added it, with all that had ended
            names = {each.crawl for each in shown}
            left_out = [of_crawl[0] for name, of_crawl in by_crawl(found).items() if name not in names]
            folder = self.console.object(pages.bucket, INDEX.removesuffix("index.html"))
            if self._put(index_of(shown, left_out, folder), there):
                return
            longest = min(_WAIT_SECONDS * 2**attempt, _LONGEST_WAIT_SECONDS)
            if self.seconds_left() < longest + _SECONDS_TO_PUT:
                raise SinkError(
                    f"could not write s3://{pages.bucket}/{INDEX}: others put it {attempt + 1} times meanwhile"
                )
            self.sleep(longest * self.chance())

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


def index_of(runs: Sequence[ShownRun], left_out: Sequence[ShownRun] = (), folder: str = "") -> str:
    """Return the page that shows these runs, which are in the order of `shown_of`.

    The latest runs of crawls that are `left_out` are counted. `folder` is a link to the folder of runs in the console.
    """
    latest = [next(of_crawl) for _, of_crawl in groupby(runs, key=lambda run: run.crawl)]
    said = f"{count_of(len(latest), 'crawl')}: {_words(latest)}" if latest else "No crawl has run yet"
    if left_out:
        said += f"; and {count_of(len(left_out), 'more crawl')}: {_words(left_out)}"
    data = {"columns": COLUMNS, "days": DAYS, "more": len(left_out), "folder": folder, "runs": packed(runs)}
    return page_of("index", {"headline": said}, data)


def _words(latest: Sequence[ShownRun]) -> str:
    words = Counter(word_of(run.outcome, run.verdict) for run in latest)
    return ", ".join(f"{number:,} {word}" for word, number in words.most_common())


def _of_run(run: Run, runs: Sequence[ShownRun]) -> list[ShownRun]:
    return [each for each in runs if each.run_id == run.run_id]
