from __future__ import annotations

import pytest

from tests.machines.publishing_services import connect


@pytest.fixture(params=["at once", "in buckets"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish everything in one function, or in the parts of a Distributed Map."""
    if request.param == "in buckets":
        monkeypatch.setenv("MOST_ROWS", "10")


@pytest.fixture
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who publish often: DuckDB's own `connect` takes 30 ms."""
    monkeypatch.setattr("pageturner.publish.database.duckdb.connect", connect)
