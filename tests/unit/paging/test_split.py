from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner.paging import key_ranges, split

# Keys that S3 accepts: any Unicode text, many with common prefixes.
CHARACTERS = st.one_of(st.sampled_from("ab/ +%\x01\n\U0010ffff"), st.characters(exclude_categories=["Cs"]))
KEYS = st.lists(st.text(CHARACTERS, min_size=1, max_size=6), unique=True, max_size=60).map(sorted)
SETTINGS = settings(max_examples=400)


def listing(keys: Sequence[str], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items that S3 would list; StartAfter is exclusive."""
    found = [key for key in keys if key.startswith(parameters.get("Prefix", "")) and key > parameters["StartAfter"]]
    return [{"Key": key} for key in found]


def parts_of(keys: Sequence[str], prefix: str, count: int) -> list[list[str]]:
    way = split.way_of("s3", "list_objects_v2")
    assert way is not None
    given_parameters = {"Bucket": "b", "Prefix": prefix}

    def keys_after(key: str, most: int) -> tuple[list[str], bool]:
        found = [item["Key"] for item in listing(keys, {**given_parameters, "StartAfter": key})]
        return found[:most], len(found) > most

    made = []
    for parameters, part in split.parts(way, given_parameters, count, keys_after):
        response = {"Contents": listing(keys, {"StartAfter": "", **parameters})}
        own, _ = split.cut(response, ["Contents", "CommonPrefixes"], part)
        made.append([item["Key"] for item in own["Contents"]])
    return made


@SETTINGS
@given(keys=KEYS, prefix=st.text(CHARACTERS, max_size=2), count=st.integers(2, 20), page=st.sampled_from([2, 7, 1000]))
def test_ranges_of_keys_have_every_key_once(keys: list[str], prefix: str, count: int, page: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_ranges, "_PAGE", page)
        made = parts_of(keys, prefix, count)
    assert 1 <= len(made) <= count
    assert [key for part in made for key in part] == [key for key in keys if key.startswith(prefix)]


@pytest.mark.parametrize(
    "keys",
    [
        [f"{number:07}" for number in range(20_000)],
        [f"logs/2026/{day:03}/{number:04x}" for day in range(40) for number in range(500)],
        [f"{number * 2654435761 % 2**32:08x}" for number in range(20_000)],
        [f"a/{number:05}" for number in range(19_000)] + [f"b/{number}" for number in range(1_000)],
    ],
    ids=["numbers", "dates", "hashes", "one large prefix"],
)
def test_ranges_of_keys_are_about_even(keys: list[str]) -> None:
    sizes = [len(part) for part in parts_of(sorted(keys), "", 8)]
    assert len(sizes) == 8
    assert max(sizes) <= 2.5 * len(keys) / 8


def test_a_range_ends_where_the_next_one_begins() -> None:
    part = split.Part(1, 2, "Key", above=None, up_to="b", ordered=True)
    response = {"Versions": [{"Key": "a"}, {"Key": "b"}, {"Key": "ba"}], "DeleteMarkers": [{"Key": "b"}, {"Key": "c"}]}
    own, is_end = split.cut(response, ["Versions", "DeleteMarkers", "CommonPrefixes"], part)
    assert own == {"Versions": [{"Key": "a"}, {"Key": "b"}], "DeleteMarkers": [{"Key": "b"}]}
    assert is_end
    assert not split.cut({"Versions": [{"Key": "a"}]}, ["Versions"], part)[1]


def test_what_cannot_be_split_is_in_the_first_part_and_no_item_is_lost_for_want_of_a_time() -> None:
    response = {"events": [{"message": "no time"}, {"timestamp": 5}], "searchedLogStreams": [{"logStreamName": "s"}]}
    names = ["events", "searchedLogStreams"]
    first, _ = split.cut(response, names, split.Part(1, 2, "timestamp", None, 5))
    second, _ = split.cut(response, names, split.Part(2, 2, "timestamp", 5, None))
    assert first == response
    assert second == {"events": [{"message": "no time"}], "searchedLogStreams": []}


def test_segments() -> None:
    way = split.way_of("dynamodb", "scan")
    assert way is not None
    made = list(split.parts(way, {"TableName": "t"}, 3, lambda *_: ([], False)))
    assert [parameters["Segment"] for parameters, _ in made] == [0, 1, 2]
    assert {parameters["TotalSegments"] for parameters, _ in made} == {3}
    assert split.cut({"Items": [{"a": 1}]}, ["Items"], made[0][1]) == ({"Items": [{"a": 1}]}, False)


BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@SETTINGS
@given(
    seconds=st.integers(1, 100_000),
    offsets=st.lists(st.floats(0, 1), max_size=30),
    count=st.integers(2, 20),
    end_is_inclusive=st.booleans(),
)
def test_windows_of_time_have_every_event_once(
    seconds: int, offsets: list[float], count: int, end_is_inclusive: bool
) -> None:
    """With an inclusive or an exclusive end; with times in milliseconds (logs) and in ISO 8601 (CloudTrail)."""
    end = BEGIN + timedelta(seconds=seconds)
    events = [BEGIN + timedelta(milliseconds=round(offset * seconds * 1000)) for offset in offsets]
    for service, operation, member, start_name, end_name, result_key, numbers in (
        ("logs", "filter_log_events", "timestamp", "startTime", "endTime", "events", True),
        ("cloudtrail", "lookup_events", "EventTime", "StartTime", "EndTime", "Events", False),
    ):
        way = split.way_of(service, operation)
        assert way is not None

        def said(time: datetime, numbers: bool = numbers) -> Any:
            return round(time.timestamp() * 1000) if numbers else time.isoformat()

        def read(value: Any, numbers: bool = numbers) -> datetime:
            return datetime.fromtimestamp(value / 1000, UTC) if numbers else datetime.fromisoformat(value)

        def has(window: dict[str, Any], event: datetime, names: tuple[str, str] = (start_name, end_name)) -> bool:
            first, last = (read(window[name]) for name in names)
            return first <= event < last or (end_is_inclusive and event == last)

        whole = {start_name: said(BEGIN), end_name: said(end)}
        found = []
        for window, part in split.parts(way, whole, count, lambda *_: ([], False)):
            items = [{member: said(event) if numbers else event} for event in events if has(window, event)]
            own, is_end = split.cut({result_key: items}, [result_key], part)
            assert not is_end
            found += own[result_key]
        expected = [{member: said(event) if numbers else event} for event in events if has(whole, event)]
        assert sorted(found, key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("odd", [None, {}, {"EventTime": None}, {"EventTime": "yesterday"}, {"EventTime": []}])
def test_an_item_without_a_place_in_time_is_never_cut_off(odd: Any) -> None:
    """A time that botocore cannot parse stays as it came."""
    way = split.way_of("cloudtrail", "lookup_events")
    assert way is not None
    times = {"StartTime": "2026-01-01T00:00:00Z", "EndTime": "2026-01-03T00:00:00Z"}
    first, second = (part for _, part in split.parts(way, times, 2, lambda *_: ([], False)))
    without_zone = {"EventTime": datetime(2026, 1, 2, 12)}  # noqa: DTZ001
    page = {"Events": [odd, without_zone]}
    assert split.cut(page, ["Events"], first)[0]["Events"] == [odd]
    assert split.cut(page, ["Events"], second)[0]["Events"] == [odd, without_zone]
