"""What `since` can say, and what it cannot be combined with."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_catalogue, parse_input
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.since import in_window, window_of
from pageturner.errors import InvalidCrawlError
from pageturner.paging.split import _WAYS, Part

TRAIL = {"service": "cloudtrail", "operation": "lookup_events"}
SINCE = {"parameter": "StartTime", "until": "EndTime"}
LOGS = {"service": "logs", "operation": "filter_log_events", "parameters": {"logGroupName": "g"}}
JOBS = {"service": "sagemaker", "operation": "list_training_jobs"}


def parsed(entry: dict[str, Any]) -> Crawl:
    return parse_catalogue({"crawls": {"c": entry}})["c"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            {"since": {"until": "EndTime"}},
            'since: invalid value {"until": "EndTime"}; must be an object with parameter',
        ),
        ({"since": {**SINCE, "lag": "15"}}, 'since.lag: invalid value "15"; must be like 90s, 15m, 2h or 1d'),
        ({"since": {**SINCE, "lag": "0s"}}, 'since.lag: invalid value "0s"; must be like'),
        (
            {"since": {**SINCE, "from": "2026-01-01T00:00:00Z"}},
            "since.from: only an execution's input says where a run begins; for the first run, set first",
        ),
        ({"since": {**SINCE, "from": "2026"}}, 'since.from: invalid value "2026"; must be a time, like 2026-01-31T'),
        ({"since": {**SINCE, "frist": "1d"}}, 'since.frist: unknown key; did you mean "first"?'),
        (
            {"since": {"parameter": "StartTim"}},
            'since.parameter: cloudtrail lookup_events has no such parameter; did you mean "StartTime"? (only those at',
        ),
        (
            {"since": {"parameter": "EventCategory"}},
            "since.parameter: EventCategory is of the type string; it must be a timestamp",
        ),
        (
            {**LOGS, "since": {"parameter": "limit"}, "parameters": {"logGroupName": "g", "limit": 5}},
            "since.parameter: limit is also set in parameters",
        ),
        (
            {**LOGS, "since": {"parameter": "startTime", "until": "logGroupName"}},
            "since.until: logGroupName is of the type string; it must be an integer, as times of CloudWatch Logs are",
        ),
        ({"since": {"parameter": "StartTime", "until": "StartTime"}}, "since.until: the same as parameter"),
        (
            {"since": SINCE, "parameters": {"StartTime": "2026-01-01T00:00:00Z"}},
            "since.parameter: StartTime is also set in parameters; remove one of the two (since: null removes since)",
        ),
        (
            {"since": SINCE, "for_each": {"list": [{"EndTime": "2026-01-01T00:00:00Z"}]}},
            "since.until: EndTime is also set in parameters",
        ),
        ({"since": SINCE, "tolerate": ["denied"]}, "tolerate: cannot be combined with since: the next run would begin"),
        ({"since": SINCE, "ignore_errors": ["X"]}, "ignore_errors: cannot be combined with since"),
        ({"since": SINCE, "mistrust": "20%"}, "mistrust: cannot be combined with since"),
        ({"since": SINCE, "split": 4}, "split: cannot be combined with since"),
        ({"since": SINCE, "overlap": "allow"}, "overlap: two runs at the same time would list the same with since"),
        ({"since": SINCE, "pagination_config": {"MaxItems": 5}}, "pagination_config.MaxItems: cannot be combined"),
        (
            {"since": SINCE, "pagination_config": {"StartingToken": "t"}},
            "pagination_config.StartingToken: cannot be combined with since",
        ),
        (
            {"since": SINCE, "parameters": {"NextToken": "t"}},
            "parameters.NextToken: says where the listing begins, and cannot be combined with since",
        ),
        (
            {**JOBS, "since": {"parameter": "LastModifiedTimeAfter"}},
            "since.time: name the member with the item's time by which LastModifiedTimeAfter selects; the items have: "
            "CreationTime, TrainingEndTime, LastModifiedTime",
        ),
        (
            {**JOBS, "since": {"parameter": "LastModifiedTimeAfter", "time": "TrainingJobName"}},
            'since.time: "TrainingJobName" is no time of an item; the items have: CreationTime',
        ),
        (
            {
                "service": "pinpoint",
                "operation": "get_application_date_range_kpi",
                "parameters": {"ApplicationId": "a", "KpiName": "k"},
                "since": {"parameter": "StartTime"},
            },
            "since: the items of pinpoint get_application_date_range_kpi are no list of structures at the top",
        ),
        (
            {
                "service": "xray",
                "operation": "get_service_graph",
                "since": {"parameter": "StartTime", "time": "EndTime"},
            },
            "since.first: xray get_service_graph requires StartTime; say how far the first run goes back",
        ),
    ],
)
def test_what_would_leave_a_gap_is_refused(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidCrawlError, match=re.escape(f"crawls.c.{said}")):
        parsed({**TRAIL, **entry})


@pytest.mark.parametrize(
    "entry",
    [
        {**TRAIL, "since": SINCE, "mistrust": "off", "tolerate": []},
        {**TRAIL, "since": {"parameter": "StartTime"}},
        {**LOGS, "since": {"parameter": "startTime", "until": "endTime", "lag": "90s", "first": "7d"}},
        {**JOBS, "since": {"parameter": "LastModifiedTimeAfter", "time": "LastModifiedTime"}},
        {
            "service": "xray",
            "operation": "get_service_graph",
            "since": {"parameter": "StartTime", "until": "EndTime", "time": "EndTime", "first": "1h"},
        },
    ],
)
def test_what_is_right_is_taken(entry: dict[str, Any]) -> None:
    assert parsed(entry).since == entry["since"]


@pytest.mark.parametrize(("operation", "way"), [(of, way) for of, way in _WAYS.items() if way.kind == "times"])
def test_times_of_listings_that_can_be_split_are_known(operation: tuple[str, str], way: Any) -> None:
    parameters = {"logGroupName": "g"} if operation[0] == "logs" else {}
    since = {"parameter": way.start, "until": way.end}
    crawl = parsed({"service": operation[0], "operation": operation[1], "parameters": parameters, "since": since})
    assert in_window(crawl, {}, {"from": None, "to": "2026-01-01T00:00:00Z"})[1].member == way.member


def test_a_source_of_for_each_lists_everything() -> None:
    for_each = {"crawl": "c", "parameters": {"logGroupName": "key"}}
    groups = {"service": "logs", "operation": "filter_log_events", "for_each": for_each}
    said = "crawls.d.for_each.crawl: a run of c lists only what is new, so targets for all other items would be missing"
    with pytest.raises(InvalidCrawlError, match=re.escape(said)):
        parse_catalogue({"crawls": {"c": {**TRAIL, "since": SINCE}, "d": groups}})


def test_an_input_removes_it() -> None:
    catalogue = {"c": parsed({**TRAIL, "since": SINCE})}
    own = {"StartTime": "2026-01-01T00:00:00Z"}
    crawl = parse_input({"crawl": "c", "since": None, "parameters": own}, catalogue)
    assert (crawl.since, crawl.parameters) == (None, own)
    assert crawl.listing_hash != catalogue["c"].listing_hash


def test_an_input_does_not_replace_all_that_was_listed() -> None:
    catalogue = {"c": parsed({**TRAIL, "since": SINCE})}
    with pytest.raises(InvalidCrawlError, match=r"^input\.since: without it, .*; set StartTime in parameters"):
        parse_input({"crawl": "c", "since": None}, catalogue)


def test_an_input_changes_a_part_of_it() -> None:
    catalogue = {"c": parsed({**TRAIL, "since": SINCE})}
    crawl = parse_input({"crawl": "c", "since": {"from": "2026-01-01T00:00:00Z"}}, catalogue)
    assert crawl.since == {**SINCE, "from": "2026-01-01T00:00:00Z"}
    assert crawl.listing_hash == catalogue["c"].listing_hash
    with pytest.raises(InvalidCrawlError, match=r"input\.since\.from: .* is no time"):
        parse_input({"crawl": "c", "since": {"from": "2026-02-30T00:00:00Z"}}, catalogue)


def test_how_far_behind_a_run_ends_is_no_other_listing() -> None:
    hashes = {
        parsed({**TRAIL, "since": {**SINCE, **more}}).listing_hash for more in ({}, {"lag": "1h"}, {"first": "1d"})
    }
    assert len(hashes) == 1
    others: list[dict[str, Any]] = [{**TRAIL}, {**TRAIL, "since": {"parameter": "EndTime", "time": "EventTime"}}]
    assert len({*hashes, *(parsed(other).listing_hash for other in others)}) == 3


@pytest.mark.parametrize(
    ("since", "listed_to", "window"),
    [
        ({}, None, (None, "2026-03-01T11:45:07Z")),
        ({"lag": "90s"}, None, (None, "2026-03-01T11:58:37Z")),
        ({"lag": "2h"}, None, (None, "2026-03-01T10:00:07Z")),
        ({"lag": "1d", "first": "1h"}, None, ("2026-02-28T11:00:07Z", "2026-02-28T12:00:07Z")),
        ({"from": "2026-01-01T02:00:00+02:00"}, None, ("2026-01-01T00:00:00Z", "2026-03-01T11:45:07Z")),
        ({"from": "2026-01-01T00:00:00Z"}, "2026-02-01T00:00:00Z", ("2026-01-01T00:00:00Z", "2026-03-01T11:45:07Z")),
        ({"first": "1h"}, "2026-02-01T00:00:00Z", ("2026-02-01T00:00:00Z", "2026-03-01T11:45:07Z")),
    ],
)
def test_windows(since: dict[str, Any], listed_to: str | None, window: tuple[str | None, str]) -> None:
    found = window_of(since, listed_to, "2026-03-01T13:00:07.999+01:00")
    assert (found["from"], found["to"]) == window


@pytest.mark.parametrize("listed_to", ["2026-03-01T11:45:07Z", "2026-03-01T11:45:08Z"])
def test_an_empty_window_is_refused(listed_to: str) -> None:
    with pytest.raises(InvalidCrawlError, match=f"begins at {listed_to}, up to which all is listed") as refused:
        window_of({}, listed_to, "2026-03-01T12:00:07.999Z")
    again = str(refused.value).rpartition(" ")[2]
    assert window_of({}, listed_to, again)["from"] == listed_to


def test_milliseconds() -> None:
    crawl = parsed({**LOGS, "since": {"parameter": "startTime", "until": "endTime"}})
    window = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z"}
    parameters, part = in_window(crawl, crawl.parameters, window)  # type: ignore[arg-type]
    start, end = 1767225600000, 1767229200000
    assert parameters == {"logGroupName": "g", "startTime": start - 1000, "endTime": end + 1000}
    assert part == Part(1, 1, "timestamp", start, end)
