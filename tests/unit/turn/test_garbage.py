from __future__ import annotations

import gc

import pytest

import fetch_page


def test_garbage_is_collected_between_pages_also_after_an_error() -> None:
    with fetch_page._uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), fetch_page._uncollected():
        raise KeyError
    assert gc.isenabled()
