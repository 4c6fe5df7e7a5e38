"""A function that goes through many services forgets their models, and what holds them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from pageturner import clients
from pageturner.paging import answers, api


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(api, "MOST_SERVICES", 2)
    api._loaded.clear()
    yield
    api._loaded.clear()


def test_the_models_of_many_services_are_forgotten(few: None) -> None:
    first = weakref.ref(api.service_model("sns"))
    assert api.service_model("sns") is first()
    client = weakref.ref(clients.client("sns", "us-east-1"))
    api.service_model("sqs")
    assert first() is not None
    api.service_model("kms")
    for cached in (answers.error_members, answers._members, answers._statuses, answers._completeness):
        cached.cache_clear()
    gc.collect()
    assert first() is None
    assert client() is None
    # It is there again for who asks.
    assert "list_topics" in api.operation_names("sns")
    assert api.operation_model("sns", "list_topics").name == "ListTopics"
