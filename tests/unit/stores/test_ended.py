"""Which targets have ended is found out without holding their records: a long target can have millions of pages."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import pytest

from pageturner.page_state import Place, Run
from pageturner.stores.checkpoints import CheckpointStore, PageRecord
from tests.fakes import FakeDynamoDB, FakeS3, stores_in

RUN = Run("r", "2026-01-01", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0)
PAGES = 50


def test_no_record_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[weakref.ref[PageRecord]] = []
    most = 0

    def pages(_: CheckpointStore, __: Run) -> Iterator[PageRecord]:
        nonlocal most
        for target_id, last in (("a", "end"), ("b", "page")):
            for page in range(1, PAGES + 1):
                place = Place(page=page + 1, next="end" if page == PAGES and last == "end" else "page")
                record = PageRecord(target_id, 1, page, 1, 1, f"{target_id}-{page}", place)
                records.append(weakref.ref(record))
                most = max(most, sum(each() is not None for each in records))
                yield record

    monkeypatch.setattr(CheckpointStore, "pages", pages)
    assert stores_in(FakeS3(), FakeDynamoDB()).checkpoints.ended(RUN) == {"a"}
    assert most <= 2
