"""The size of rows, which DynamoDB charges for by the KB."""

from __future__ import annotations

import pytest

from pageturner.stores.run_table import write_units


@pytest.mark.parametrize(("length", "units"), [(0, 1), (1021, 1), (1022, 2), (2045, 2), (2046, 3)])
def test_a_unit_for_each_kilobyte_of_the_whole_row(length: int, units: int) -> None:
    assert write_units({"abc": {"S": "x" * length}}) == units


def test_text_is_counted_in_bytes_and_numbers_by_their_digits() -> None:
    assert write_units({"a": {"S": "é" * 512}}) == 2
    assert write_units({"a": {"S": "x" * 1018}, "b": {"N": "1234"}}) == 1
    assert write_units({"a": {"S": "x" * 1018}, "b": {"N": "1234567"}}) == 2
