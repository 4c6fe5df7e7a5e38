"""Targets come in the order of their ids, whatever order they were planned in, and however many there are."""

from __future__ import annotations

import random

import pytest

from pageturner.page_state import Run, Target, part_id
from pageturner.paging.split import Part
from pageturner.stores import sorted_targets
from pageturner.stores.keys import targets_key
from pageturner.stores.page_store import array_text
from pageturner.stores.sorted_targets import Sorted, sorted_listings
from tests.fakes import FakeDynamoDB, FakeS3, stores_in

RUN = Run("r", "2026-01-01", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0)


def targets() -> list[Target]:
    whole = [Target(f"1-eu-{number:04}", "1", "eu", {"Bucket": "é" * number}) for number in range(0, 60, 2)]
    of_parts = [Part(number, 12) for number in range(1, 13)]
    parts = [Target(part_id("1-eu-0007", part.number), "1", "eu", {}, part) for part in of_parts]
    return [*whole, *parts]


@pytest.mark.parametrize("in_memory", [1, 500, 10**6])
@pytest.mark.parametrize("after", ["", "1-eu-0006", "1-eu-0007-0012", "1-eu-0058"])
def test_listings_come_in_order_each_with_all_its_parts(
    in_memory: int, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_targets, "_IN_MEMORY", in_memory)
    stores, planned = stores_in(FakeS3(), FakeDynamoDB()), targets()
    random.Random(1).shuffle(planned)
    stores.pages.put_text(targets_key(RUN), array_text(target.as_dict() for target in planned), dict)
    found = list(sorted_listings(stores.pages, RUN, after))
    expected = sorted((each for each in planned if each.target_id > after), key=lambda each: each.target_id)
    assert [target for listing in found for target in listing] == expected
    assert all(len({target.listing_id for target in listing}) == 1 for listing in found)
    assert [len(listing) for listing in found if listing[0].part] == ([12] if after < "1-eu-0007" else [])


def test_records_are_found_by_ids_that_come_in_order() -> None:
    records = Sorted([("a", 1), ("b", 2), ("b", 3), ("d", 4)])
    assert [records.of(name) for name in ("a", "a", "b", "c", "c", "d", "e")] == [[1], [1], [2, 3], [], [], [4], []]
    assert Sorted[int]([]).of("a") == []
