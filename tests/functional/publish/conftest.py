from __future__ import annotations

import pytest


@pytest.fixture(params=["at once", "in buckets"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish everything in one function, or in the parts of a Distributed Map."""
    if request.param == "in buckets":
        monkeypatch.setenv("MOST_ROWS", "10")
