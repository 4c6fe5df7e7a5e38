"""An expression that is too large, or does too much, is refused: it neither ends the process nor takes its memory."""

from __future__ import annotations

import json
import re
from typing import Any

import jmespath
import pytest
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from pageturner.crawls.expression_checks import wrong_expression, wrong_ignored_field
from pageturner.errors import InvalidCrawlError
from pageturner.paging import api
from pageturner.paging.expression_limits import DEEPEST_EXPRESSION, LONGEST_EXPRESSION, Steps, compiled, evaluation
from pageturner.paging.expressions import find
from pageturner.paging.pagination import fetch_page

TOO_DEEP = f"it is nested more than {DEEPEST_EXPRESSION} deep"
PAGE = {"Contents": [{"Key": f"logs/{n}", "Size": n, "Tags": [{"Key": "a", "Value": "b"}]} for n in range(1000)]}
# What they are, and what is said of them.
TOO_LARGE = {
    "parentheses": ("(" * 3000 + "a" + ")" * 3000, "it has 6,001 characters, and may have 4,096"),
    "fewer parentheses": ("(" * 150 + "a" + ")" * 150, TOO_DEEP),
    "brackets": ("[" * 150 + "a" + "]" * 150, TOO_DEEP),
    "braces": ("{a:" * 150 + "a" + "}" * 150, TOO_DEEP),
    "open brackets": ("[" * 4000, TOO_DEEP),
    "filters": ("a[?" * 150 + "a" + "]" * 150, TOO_DEEP),
    "functions": ("keys(" * 150 + "a" + ")" * 150, TOO_DEEP),
    "not": ("!" * 3000 + "a", TOO_DEEP),
    "references": ("& " * 1000 + "a", TOO_DEEP),
    "projections": ("a" + "[*]" * 1000, TOO_DEEP),
    "flattening": ("a" + "[]" * 1000, TOO_DEEP),
    "values": ("a" + ".*" * 1000, TOO_DEEP),
    "or": ("a" + "||a" * 1000, TOO_DEEP),
    "comparisons": ("a" + "==a" * 1000, TOO_DEEP),
    "a literal": (f"`{'[' * 2000}{']' * 2000}`", TOO_DEEP),
    "a number": (f"a[{'9' * 5000}]", "it has 5,003 characters, and may have 4,096"),
}
# Expressions of a line, which without a limit take gigabytes, or for ever.
TOO_MUCH = {
    "repeated flattening": "Contents" + " | [@, @][]" * 30,
    "nested copies": "[@, @]" + " | [@, @]" * 40,
    "nested copies under names": "{a: @, b: @}" + " | {a: @, b: @}" * 40,
    "their text": "[@, @]" + " | [@, @]" * 40 + " | to_string(@)",
    "their comparison": "[@, @]" + " | [@, @]" * 40 + " | @ == [@]",
    "their length": "[@, @]" + " | [@, @]" * 40 + " | [contains(@, `1`)]",
    "joined": "join('"
    + "x" * 3000
    + "', Contents[].Key) | join(@, [@, @, @, @, @, @, @, @]) | join(@, [@, @, @, @, @])",
}
WRONG = ("a[::0]", "ceil(to_number('inf'))", "&a", "[&a]", "not_null(&a)", "sum(`[1e400, -1e400]`) | ceil(@)")


@pytest.mark.parametrize("what", TOO_LARGE)
def test_an_expression_that_is_too_large_is_refused_wherever_it_is_read(what: str) -> None:
    expression, said = TOO_LARGE[what]
    (line,) = wrong_expression(expression)
    assert line.endswith(f"cannot be used: {said}")
    assert len(line) < 400
    assert said in "".join(wrong_ignored_field(expression, None))
    with pytest.raises(InvalidCrawlError, match=re.escape(said)):
        find("search", expression, PAGE)


@pytest.mark.parametrize("what", TOO_MUCH)
def test_an_expression_that_does_too_much_ends(what: str) -> None:
    with pytest.raises(InvalidCrawlError, match="it takes more than 1,000,000 steps"):
        find("search", TOO_MUCH[what], PAGE)


def test_the_items_of_a_page_share_their_steps() -> None:
    steps = Steps(100)
    assert find("key", "to_string(@)", {"a": 1}, steps) == '{"a":1}'
    steps.take(95)
    with pytest.raises(InvalidCrawlError, match="it takes more than 100 steps"):
        find("key", "to_string(@)", {"a": 1}, steps)


@pytest.mark.parametrize("expression", WRONG)
def test_what_jmespath_does_not_catch_is_an_error_of_the_crawl(expression: str) -> None:
    with pytest.raises(InvalidCrawlError):
        find("search", expression, {"a": [1, 2]})


def test_a_value_that_is_nested_too_deeply_is_an_error_of_the_crawl() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidCrawlError, match="nested too deeply"):
        find("key", "to_string(@)", {"a": deep})


def test_botocore_evaluates_only_what_was_counted() -> None:
    model = api.operation_model("s3", "list_objects_v2")
    stated = {"input_token": "ContinuationToken", "output_token": "NextContinuationToken"}
    with pytest.raises(InvalidCrawlError, match="it takes more than 1,000,000 steps"):
        fetch_page(lambda **_: PAGE, model, {**stated, "result_key": TOO_MUCH["repeated flattening"]}, {}, {})


def test_what_people_write_is_within_the_limits() -> None:
    members = ", ".join(f"Member{n}: Tags[?Key == 'tag-{n}'].Value | [0]" for n in range(60))
    found = find("search", f"Contents[].{{{members}}}", {"Contents": [{"Tags": PAGE["Contents"][0]["Tags"]}] * 1000})
    assert len(found) == 1000
    kinds = " || ".join(f"Size == `{n}`" for n in range(90))
    assert len(find("search", f"Contents[?{kinds}]", PAGE)) == 90


def test_botocores_own_expressions_are_within_the_limits() -> None:
    loader = Session().get_component("data_loader")
    for service in loader.list_available_services("paginators-1"):
        for definition in loader.load_service_model(service, "paginators-1")["pagination"].values():
            for name in ("result_key", "output_token", "more_results"):
                value = definition.get(name, [])
                for each in [value] if isinstance(value, str) else value:
                    assert len(each) < LONGEST_EXPRESSION / 10
                    assert compiled(each)


PARTS = st.sampled_from(
    [
        *"abc@*.,:|&!()[]{}`'\"-0123",
        "[]",
        "[?",
        "||",
        "&&",
        "==",
        "a",
        "join(",
        "to_string(@)",
        "sort_by(@, &a)",
        "\ud800",
    ]
)
VALUES: Any = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner),
    max_leaves=8,
)


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
@settings(max_examples=600)
@given(st.lists(PARTS, max_size=30).map("".join), VALUES)
def test_any_expression_finds_what_jmespath_finds_or_says_what_is_wrong(expression: str, value: Any) -> None:
    try:
        tree = compiled(expression)
    except JMESPathError:
        return
    try:
        found = evaluation(tree)(value, None)
    except JMESPathError:
        return
    expected = jmespath.search(expression, value)
    assert json.dumps(found) == json.dumps(expected)
