from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from pageturner.crawls.crawl import SCHEDULE_KEYS, Crawl
from pageturner.crawls.only_catalogued import READING_KEYS, refuse_other_reads
from pageturner.errors import InvalidCrawlError


@pytest.mark.parametrize("key", READING_KEYS)
def test_an_input_cannot_say_what_is_read(key: str) -> None:
    said = (
        f"input.{key}: this deployment reads only what its catalogue names, so that an input cannot set {key}; start a "
        'crawl by its name, like {"crawl": "a-name"} (available: buckets), add one to the catalogue, or deploy with '
        "the setting adhoc_crawls=true"
    )
    with pytest.raises(InvalidCrawlError, match=f"^{re.escape(said)}$"):
        refuse_other_reads({"crawl": "buckets", key: None}, ["buckets"])


@pytest.mark.parametrize(
    "asked", [{"crawl": "buckets", "max_pages": 1, "mistrust": "off"}, {"pagination_config": {"PageSize": 7}}, [], "a"]
)
def test_all_else_it_can_say(asked: Any) -> None:
    refuse_other_reads(asked, [])


def test_a_key_is_one_of_what_is_read_or_one_that_cannot_widen_it() -> None:
    """A new key of a crawl belongs into one of both lists."""
    others = {
        *("pagination_config", "split", "search", "key", "max_pages", "max_pages_per_second", "pace"),
        *("max_concurrency", "deadline_hours", "overlap", "tolerate", "ignore_errors", "stale_items", "allow_empty"),
        *("mistrust", "redact", "sinks", "ignore_fields", "time_to_live", *SCHEDULE_KEYS),
    }
    assert {f.name.rstrip("_") for f in fields(Crawl)} - {"name"} == others | set(READING_KEYS)
