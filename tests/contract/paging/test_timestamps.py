"""Timestamps are what botocore's own `parse_timestamp` makes of them, in every format of the models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.serialize import JSONSerializer
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from pageturner import errors
from pageturner.paging import api
from pageturner.paging.parsers import timestamp
from pageturner.turn.records import item_json

FORMATS = ("iso8601", "rfc822", "unixtimestamp")
# A day inside what `datetime` can represent, because botocore goes through the local time zone.
FIRST, LAST = (datetime.fromisoformat(day) for day in ("0001-01-02", "9999-12-30"))
TIMES = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
ZONES = ["", "Z", "z", "+00:00", "-00:00", "+0000", "+05:30", "-11", " GMT", " UTC", " Z", "+23:59", "Z\n"]


def assert_read_alike(value: Any) -> None:
    try:
        expected = parse_timestamp(value)
    except errors.UNEXPECTED_VALUES:
        expected = value
    found = timestamp(value)
    if isinstance(expected, float) and expected != expected:
        assert found is value
        return
    assert found == expected
    assert type(found) is type(expected)
    if isinstance(expected, datetime):
        # Equal times have equal hashes and texts only if both have a zone, or none.
        assert (found.tzinfo is None) == (expected.tzinfo is None)
        assert found.utcoffset() == expected.utcoffset() or isinstance(value, int | float)
        assert item_json(found) == _text_before(expected)


def _text_before(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        return f'"{aware.astimezone(UTC).isoformat().replace("+00:00", "Z")}"'
    except OverflowError:
        return f'"{aware.isoformat()}"'


def _formats_in(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["timestampFormat"]} if isinstance(node.get("timestampFormat"), str) else set()
        return own.union(*map(_formats_in, node.values()))
    return set().union(*map(_formats_in, node)) if isinstance(node, list) else set()


def test_the_models_have_no_other_formats() -> None:
    found = {
        name
        for service in api.service_names()
        for name in _formats_in(api.LOADER.load_service_model(service, "service-2")["shapes"])
    }
    assert {name.lower() for name in found} <= set(FORMATS)


@given(TIMES, st.sampled_from(FORMATS))
def test_a_time_that_botocore_writes(time: datetime, form: str) -> None:
    # botocore has no public way to write a timestamp.
    written = getattr(JSONSerializer(), f"_timestamp_{form}")(time)
    assert_read_alike(written)
    assert_read_alike(str(written))


@given(TIMES, st.text("0123456789", max_size=10), st.sampled_from(["T", " ", "t"]), st.sampled_from(ZONES))
@example(datetime(1, 1, 2, tzinfo=UTC), "1", "T", "Z")
@example(datetime(31, 12, 11, 10, 9, 8, tzinfo=UTC), "123456789", "T", "Z")
def test_a_time_in_iso_8601(time: datetime, fraction: str, between: str, zone: str) -> None:
    whole = f"{time:%m-%d}{between}{time:%H:%M:%S}{'.' if fraction else ''}{fraction}{zone}"
    assert_read_alike(f"{time.year:04}-{whole}")


@given(st.one_of(st.integers(-62_135_500_000, 253_402_200_000), st.floats(-62_135_500_000, 253_402_200_000)))
def test_a_number_of_seconds(seconds: float) -> None:
    assert_read_alike(seconds)
    assert_read_alike(str(seconds))


@given(st.integers(0, 14), st.characters())
def test_a_time_with_another_character(at: int, character: str) -> None:
    time = "2026-01-02T03:04:05Z"
    assert_read_alike(f"{time[:at]}{character}{time[at + 1 :]}")


@pytest.mark.parametrize(
    "value",
    [
        *(
            "20230101",
            "2023-01-01",
            "2023-W01",
            "2023-W01-1",
            "2023",
            "20230101T000000Z",
            "2023-01-01T00Z",
            "1e9",
            " 1 ",
        ),
        *("2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-12-31T23:59:60Z"),
        *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00.Z"),
        *("2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00.1234567891Z", "٢٠٢٦-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"),
        *("Thu, 01 Jan 2026 00:00:00 GMT", "Thursday, 01-Jan-26 00:00:00 GMT", "Thu Jan  1 00:00:00 2026"),
        *("", "null", "never", "NaN", "inf", "-1", "+1", "0x10", "1_000", "T", "Z", "2026-01-01T00:00:00Z and more"),
        *(0, -1, -0.5, 1.0005, 1e11, -1e11, 1e18, -1e18, 1e300, 10**400, float("nan"), float("inf"), True, None),
        *([], {}, b"1", b"2026-01-01T00:00:00Z", ["2026-01-01T00:00:00Z"], 1_767_225_600_000),
    ],
)
def test_an_odd_value(value: Any) -> None:
    assert_read_alike(value)


def test_the_edges_of_what_a_datetime_can_be() -> None:
    for time in ("0001-01-01T00:00:00", "0001-01-01T01:00:00", "9999-12-31T23:59:59.999999"):
        for zone in ("Z", "+00:00", "+05:30", "-05:30"):
            assert_read_alike(f"{time}{zone}")


def test_an_offset_that_no_time_can_have_stays_as_it_came() -> None:
    # dateutil makes a time of it that can neither be written nor compared.
    assert timestamp("2026-01-01T00:00:00+24:00") == "2026-01-01T00:00:00+24:00"
