from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.canaries import seen  # noqa: F401 - a fixture
from tests.conftest import Aws, Machines
from tests.formats.deployment import resources
from tests.iam import Evaluator
from tests.machines.publishing_services import connect
from tests.roles_at_work import asked_by_handlers
from tests.runs_of_a_bucket import CRAWL, KEYS


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator(resources()) as made:
        yield made


@pytest.fixture(autouse=True)
def _roles_at_work(evaluator: Evaluator) -> Iterator[None]:
    """Whatever a handler does with what is Pageturner's own, the role of its function allows.

    So each test of handlers also finds a grant that is too narrow.
    """
    with asked_by_handlers() as asked:
        yield
    assert [ask for ask in asked if not evaluator.allows(ask)] == []


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
