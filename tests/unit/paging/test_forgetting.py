"""A function that goes through many services forgets their models, and the clients that hold them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pageturner import clients
from pageturner.paging import api


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(api, "MOST_SERVICES", 2)
    api._loaded.clear()
    yield
    api._loaded.clear()


def models_kept() -> set[str]:
    """The services whose models botocore's loader keeps."""
    kept = api.LOADER._cache  # type: ignore[attr-defined]
    return {key[1] for key in kept if key[0] == "load_service_model" and key[2] == "service-2"}


def test_the_models_of_many_services_are_forgotten(few: None) -> None:
    first = api.service_model("sns")
    client = clients.client("sns", "us-east-1")
    api.service_model("sqs")
    assert api.service_model("sns") is first
    assert clients.client("sns", "us-east-1") is client
    assert {"sns", "sqs"} <= models_kept()
    api.service_model("kms")
    assert models_kept() == {"kms"}
    assert clients._client.cache_info().currsize == 0
    # It is there again for who asks.
    assert api.operation_model("sns", "list_topics").name == "ListTopics"
    assert api.service_model("sns") is not first
    assert models_kept() == {"kms", "sns"}
