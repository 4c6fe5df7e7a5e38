"""What starts a crawl: a schedule, or the end of another crawl's run."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_catalogue, parse_input
from pageturner.errors import InvalidCrawlError

ROLES = {"service": "iam", "operation": "list_roles"}


def crawls(**after: Any) -> dict[str, Any]:
    """A catalogue of crawls that start after these."""
    return {"crawls": {name: {**ROLES, "after": each} if each else ROLES for name, each in after.items()}}


def said_of(document: object) -> list[str]:
    with pytest.raises(InvalidCrawlError) as raised:
        parse_catalogue(document)
    return str(raised.value).splitlines()


def test_crawls_are_chained_in_any_order() -> None:
    found = parse_catalogue(crawls(c="b", b="a", a=None, d="b"))
    assert {name: crawl.after for name, crawl in found.items()} == {"c": "b", "b": "a", "a": None, "d": "b"}


def test_a_crawl_starts_after_one_of_the_catalogue() -> None:
    assert said_of(crawls(buckets=None, objects="bukets")) == [
        'crawls.objects.after: "bukets" is not in the catalogue; did you mean "buckets"?'
    ]


def test_no_crawl_starts_itself() -> None:
    assert said_of(crawls(a="a", b="a")) == [
        "crawls.a.after: it would start itself, again and again; name another crawl"
    ]
    # What comes after a circle is not wrong itself.
    assert said_of(crawls(a="c", b="a", c="b", d="a")) == [
        "crawls.a.after: circular reference: a → c → b → a; a crawl of them needs another start",
        "crawls.b.after: circular reference: b → a → c → b; a crawl of them needs another start",
        "crawls.c.after: circular reference: c → b → a → c; a crawl of them needs another start",
    ]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"after": "other", "schedule": "rate(1 day)"},
            "crawls.c.after: one thing starts a crawl, and this one has a schedule too; remove one of the two",
        ),
        (
            {"after": "other", "timezone": "Europe/Berlin"},
            "crawls.c.timezone: what starts after another crawl has no time of its own; remove it",
        ),
        (
            {"after": "other", "flexible_time_window": 5},
            "crawls.c.flexible_time_window: what starts after another crawl has no time of its own; remove it",
        ),
        (
            {"flexible_time_window": 5},
            "crawls.c.flexible_time_window: is a part of a schedule, and there is none; add one, or remove this",
        ),
        (
            {"schedule": "rate(1 day)", "flexible_time_window": 1441},
            "crawls.c.flexible_time_window: invalid value 1441; must be a number of minutes, from 1 to 1440",
        ),
        ({"after": ["other"]}, 'crawls.c.after: invalid value ["other"]; must be the name of a crawl in the catalogue'),
    ],
)
def test_keys_that_do_not_go_together(keys: dict[str, Any], said: str) -> None:
    assert said_of({"crawls": {"other": ROLES, "c": {**ROLES, **keys}}}) == [said]


def test_a_schedule_may_be_flexible_and_a_chain_switched_off() -> None:
    flexible = {**ROLES, "schedule": "rate(1 day)", "flexible_time_window": 1440}
    found = parse_catalogue({"crawls": {"a": flexible, "b": {**ROLES, "after": "a", "enabled": False}}})
    assert (found["a"].flexible_time_window, found["b"].after, found["b"].enabled) == (1440, "a", False)


@pytest.mark.parametrize("keys", [{"after": "a"}, {"flexible_time_window": 5}])
def test_an_input_does_not_say_when_a_crawl_runs(keys: dict[str, Any]) -> None:
    catalogue = parse_catalogue(crawls(a=None, b="a"))
    with pytest.raises(InvalidCrawlError, match="only the catalogue says when a crawl runs; remove it"):
        parse_input({"crawl": "b", **keys}, catalogue)
    assert parse_input({"crawl": "b", "max_concurrency": 5}, catalogue).after == "a"
