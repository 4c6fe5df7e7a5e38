"""Any JSON, as a catalogue or as an execution's input, either parses or raises InvalidCrawlError."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner.crawls.catalogue import parse_catalogue, parse_dry_run, parse_input, parse_resume
from pageturner.crawls.checks import KEYS
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError

WORDS = st.sampled_from(
    [
        *("s3", "list_objects_v2", "dynamodb", "scan", "logs", "filter_log_events", "Bucket", "item", "all", "b", "c"),
        *(
            "crawl",
            "list",
            "matrix",
            "parameters",
            "region",
            "2026-01-01",
            "",
            "é\ud800",
            "[",
            "MaxItems",
            "organization",
        ),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
RIGHT: dict[str, Any] = {name: st.just(key["examples"][0]) for name, key in KEYS.items()}
OPERATIONS = st.sampled_from([("s3", "list_objects_v2"), ("logs", "filter_log_events"), ("dynamodb", "scan")])
# At most two keys have arbitrary values, so that the checks behind the valid ones run too.
ENTRIES = st.builds(
    lambda names, right, wrong: {"service": names[0], "operation": names[1], **right, **wrong},
    OPERATIONS,
    st.fixed_dictionaries({}, optional={name: RIGHT[name] for name in KEYS if name not in ("service", "operation")}),
    st.dictionaries(st.sampled_from(list(KEYS)), JSON, max_size=2),
)
OBJECTS = Crawl("b", "s3", "list_objects_v2", {"Bucket": "b"})


@settings(max_examples=800)
@given(entry=ENTRIES | JSON)
def test_any_catalogue(entry: Any) -> None:
    with contextlib.suppress(InvalidCrawlError):
        crawls = parse_catalogue({"crawls": {"c": entry, "b": {"service": "s3", "operation": "list_buckets"}}})
        # An accepted crawl survives a JSON round trip.
        assert Crawl.from_dict(json.loads(json.dumps(crawls["c"].as_dict()))) == crawls["c"]


@settings(max_examples=800)
@given(document=st.one_of(JSON, ENTRIES, st.dictionaries(st.sampled_from([*KEYS, "crawl", "resume", "dry_run"]), JSON)))
def test_any_input(document: Any) -> None:
    with contextlib.suppress(InvalidCrawlError):
        if parse_resume(document) is None:
            _, asked = parse_dry_run(document)
            parse_input(asked, {"b": OBJECTS})
