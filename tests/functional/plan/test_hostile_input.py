"""Whatever an execution's input holds, PlanRun plans a run or refuses it with a sentence."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner.crawls.bindings import item_bindings
from pageturner.crawls.bounds import DEEPEST, wrong_document
from pageturner.crawls.catalogue import (
    check_input,
    parse_changes,
    parse_dry_run,
    parse_input,
    parse_publish,
    parse_resume,
    parse_trigger,
)
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError, SinkError
from tests.conftest import Machines

OBJECTS = {"service": "s3", "operation": "list_objects_v2"}


def deep(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


RUN_IDS: tuple[Any, ...] = (
    "",
    "../x",
    "a/b",
    "*",
    "r\0",
    "r\n",
    "r" * 201,
    "-r",
    "run#r",
    "é",
    " r",
    5,
    None,
    {},
    deep(50),
)
# The input, and what is said of it.
HOSTILE: dict[str, tuple[Any, str]] = {
    "deep parameters": ({**OBJECTS, "parameters": {"Bucket": deep(500)}}, f"is nested more than {DEEPEST} deep"),
    "deep input": (deep(500), f"input: is nested more than {DEEPEST} deep"),
    "a deep run_id": ({"resume": deep(500)}, f"input.resume: is nested more than {DEEPEST} deep"),
    "deep operations": ({"operations": deep(500)}, f"input.operations: is nested more than {DEEPEST} deep"),
    "no number": ({**OBJECTS, "deadline_hours": float("nan")}, "input.deadline_hours: is nan, and must be a number"),
    "infinity": ({**OBJECTS, "split": float("inf")}, "input.split: is inf, and must be a number"),
    "10**5000": ({**OBJECTS, "max_pages": 10**4000}, "input.max_pages: is a number of more than 64 bits"),
    "half a surrogate pair": (
        {**OBJECTS, "parameters": {"Bucket": "b\ud800"}},
        "input.parameters.Bucket: is not valid Unicode: it has half a surrogate pair",
    ),
    "half a surrogate pair as a key": ({**OBJECTS, "\udfff": 1}, "input: a key is not valid Unicode"),
    "half a surrogate pair as a trigger": ({"crawl": "c", "trigger": "\ud800"}, "input.trigger: is not valid Unicode"),
    "a long trigger": ({"crawl": "c", "trigger": "t" * 257}, "input.trigger: invalid value"),
    "a crawl that is no name": ({"crawl": {"a": ["b"]}}, 'input.crawl: {"a": ["b"]} is not in the catalogue'),
    "a long name": ({"crawl": "n" * 200_000}, "is not in the catalogue"),
    "no service": ({"service": "../../etc", "operation": "x"}, 'input.service: boto3 has no service "../../etc"'),
    "a long service": ({"service": "s" * 200_000, "operation": "x"}, "input.service: boto3 has no service"),
    "a list": ([], "the input is [];"),
    "nothing": (None, "the input is null;"),
    "ten thousand unknown keys": (
        {**OBJECTS, **{f"k{n}": n for n in range(10_000)}},
        "and more; correct these first",
    ),
    "a key of 200,000 characters": ({**OBJECTS, "k" * 200_000: 1}, "unknown key"),
    "3,000 parentheses": ({**OBJECTS, "search": "(" * 3000 + "a" + ")" * 3000}, "input.search: "),
    "parentheses in key": ({**OBJECTS, "key": "(" * 300 + "a" + ")" * 300}, "input.key: "),
    "parentheses in result_key": ({**OBJECTS, "result_key": "(" * 300 + "a" + ")" * 300}, "input.result_key: "),
    "parentheses in output_token": ({**OBJECTS, "output_token": "(" * 300 + "a" + ")" * 300}, "input.output_token: "),
    "parentheses in more_results": ({**OBJECTS, "more_results": "(" * 300 + "a" + ")" * 300}, "input.more_results: "),
    "parentheses in ignore_fields": (
        {**OBJECTS, "ignore_fields": ["(" * 300 + "a" + ")" * 300]},
        "input.ignore_fields:",
    ),
    "parentheses in for_each": (
        {**OBJECTS, "for_each": {"crawl": "c", "parameters": {"Bucket": "(" * 300 + "a" + ")" * 300}}},
        "input.for_each.parameters.Bucket: ",
    ),
    "parentheses in for_each.region": (
        {**OBJECTS, "for_each": {"crawl": "c", "parameters": {"Bucket": "key"}, "region": "(" * 300 + "a" + ")" * 300}},
        "input.for_each.region: ",
    ),
    "parentheses in a detail": (
        {
            **OBJECTS,
            "parameters": {"Bucket": "b"},
            "detail": {"operation": "get_bucket_policy", "parameters": {"Bucket": "(" * 300 + ")" * 300}, "as": "P"},
        },
        "input.detail.parameters.Bucket: ",
    ),
    "a matrix without end": (
        {**OBJECTS, "for_each": {"matrix": {name: ["a"] * 1000 for name in ("Bucket", "Prefix", "Delimiter")}}},
        "input.for_each.matrix: makes 1,000,000,000 targets",
    ),
    "a region that is none": ({**OBJECTS, "parameters": {"Bucket": "b"}, "regions": ["EU"]}, "input.regions"),
    "an account that is none": ({**OBJECTS, "parameters": {"Bucket": "b"}, "accounts": ["1\n"]}, "input.accounts"),
    **{f"{key}: {each!r:.30}": ({key: each}, f"input.{key}: ") for key in ("resume", "publish") for each in RUN_IDS},
    **{f"changes: {each!r:.30}": ({"changes": ["r", each]}, "input.changes: ") for each in RUN_IDS},
}


@pytest.mark.usefixtures("source")
def test_a_hostile_input_is_refused_with_a_sentence(machines: Machines) -> None:
    for what, (document, said) in HOSTILE.items():
        with pytest.raises(InvalidCrawlError, match=re.escape(said)) as raised:
            machines.plan(document, "execution")
        # Lambda, Step Functions and a terminal take it.
        assert len(json.dumps(str(raised.value)).encode()) < 32_768, what


def test_what_an_item_gives_is_checked_like_an_input() -> None:
    for_each = {"crawl": "s", "parameters": {"Bucket": "item.B"}, "region": "item.R", "parent": {"more": "item.M"}}
    crawl = Crawl("c", "s3", "list_objects_v2", for_each=for_each)
    right = {"B": "b", "R": "eu-west-1", "M": None}

    def bound(**item: Any) -> list[Any]:
        place = {"account": "1" * 12, "region": "r", "target": "t", "page": 1, "run_id": "r"}
        record = {"item": json.dumps({**right, **item}), "key": "k", **place}
        return list(item_bindings(crawl, [record], {"t": {}}))

    assert len(bound()) == 1
    no_regions: tuple[Any, ...] = ("EU", "", "global", [], 1, "eu-west-1\n", "a/../b")
    wrong: dict[str, dict[str, Any]] = {
        "for_each.parameters.Bucket: is not valid Unicode": {"B": "\ud800"},
        "for_each.parameters.Bucket: is a number of more than": {"B": 10**1000},
        f"for_each.parameters.Bucket: is nested more than {DEEPEST} deep": {"B": deep(100)},
        "for_each.parameters.Bucket: is nan, and must be a number": {"B": float("nan")},
        "for_each.parent.more.a: is not valid Unicode": {"M": {"a": ["\udfff"]}},
    }
    for place, item in wrong.items():
        with pytest.raises(InvalidCrawlError, match=place):
            bound(**item)
    for region in no_regions:
        with pytest.raises(
            InvalidCrawlError, match=r'^for_each.region: "item.R" gives .*, which is not a region, in an'
        ):
            bound(R=region)


@pytest.mark.parametrize("text", ["\ud800", "é" * 9_000, '"' * 9_000, "\N{GRINNING FACE}" * 9_000, "\0" * 9_000])
def test_any_message_fits_into_a_state(text: str) -> None:
    said = str(SinkError(text))
    assert len(json.dumps(json.dumps(said)).encode()) < 32_768
    assert said.encode()


TEXTS = st.text(st.characters(codec=None, categories=None), max_size=5)
KEYS = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            "crawl",
            "resume",
            "publish",
            "changes",
            "trigger",
            "dry_run",
            "service",
            "operation",
            "operations",
            "for_each",
        ]
    ),
)
VALUES: Any = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.just("c"), st.just("s3"), st.binary()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=800)
@given(st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=4)))
def test_any_input_is_a_crawl_or_refused(document: Any) -> None:
    catalogue = {"c": Crawl("c", "s3", "list_objects_v2", {"Bucket": "b"})}
    try:
        check_input(document)
        if parse_publish(document) or parse_changes(document) or parse_resume(document):
            return
        _, asked = parse_dry_run(document)
        _, asked = parse_trigger(asked)
        crawl = parse_input(asked, catalogue)
    except InvalidCrawlError:
        return
    assert wrong_document(crawl.as_dict(), "") is None
