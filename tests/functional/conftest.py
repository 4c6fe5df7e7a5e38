from __future__ import annotations

import pytest

from tests.conftest import Aws, Machines
from tests.machines.publishing_services import connect
from tests.runs_of_a_bucket import CRAWL, KEYS


@pytest.fixture
def source(aws: Aws, machines: Machines) -> None:
    """A bucket with `KEYS`, and a crawl of it."""
    aws.s3.create_bucket(Bucket="source")
    aws.put_objects("source", KEYS)
    machines.catalogue = {"c": CRAWL}


@pytest.fixture
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """For those who publish often: DuckDB's own `connect` takes 30 ms."""
    monkeypatch.setattr("pageturner.publish.database.duckdb.connect", connect)
