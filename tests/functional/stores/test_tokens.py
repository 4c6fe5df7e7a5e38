"""Tokens of every type on their way through state, metadata and checkpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.paginate import TokenDecoder, TokenEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner.page_state import Place, Run
from pageturner.paging import api, pagination
from pageturner.stores.page_store import PageStore
from tests.conftest import Aws

RUN = Run("run", "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", 0)
ATTRIBUTES = st.one_of(
    st.text().map(lambda value: {"S": value}),
    st.integers().map(lambda value: {"N": str(value)}),
    st.binary().map(lambda value: {"B": value}),
)
TOKENS: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("iam", "list_roles"): st.text(min_size=1).filter(lambda value: value != "None"),
    ("dynamodb", "scan"): st.dictionaries(st.text(), ATTRIBUTES, min_size=1),
    ("s3", "list_parts"): st.integers(min_value=1),
    ("s3", "list_object_versions"): st.text(min_size=1).filter(lambda value: value != "None"),
}


@pytest.mark.parametrize("api_call", TOKENS, ids=" ".join)
@settings(max_examples=150)
@given(data=st.data())
def test_a_token_arrives_as_it_left(api_call: tuple[str, str], data: st.DataObject, aws: Aws) -> None:
    service, operation = api_call
    paginator = api.official_paginator(service, operation)
    assert paginator is not None
    names = pagination.input_tokens(paginator)
    tokens = {name: data.draw(TOKENS[api_call]) for name in names}
    if len(names) > 1 and data.draw(st.booleans()):
        tokens[names[-1]] = None
    token = TokenEncoder().encode(tokens)

    store = PageStore(aws.s3, aws.bucket)
    place = Place(token=store.keep_token(RUN, token))
    travelled = Place.from_dict(json.loads(json.dumps(place.as_dict())))
    assert len(travelled.token or "") <= 1500
    arrived = store.token(travelled.token)
    assert arrived == token

    sent: list[dict[str, Any]] = []

    def method(**arguments: Any) -> dict[str, Any]:
        sent.append(arguments)
        return {}

    pagination.fetch_page(method, api.operation_model(service, operation), paginator, {}, {}, token=arrived)
    assert sent == [{name: value for name, value in tokens.items() if value is not None}]
    assert TokenDecoder().decode(arrived) == tokens


def test_the_largest_token_does_not_travel(aws: Aws) -> None:
    token = TokenEncoder().encode({"Marker": "x" * 300_000})
    store = PageStore(aws.s3, aws.bucket)
    kept = store.keep_token(RUN, token)
    assert kept is not None
    assert len(kept) < 200
    assert store.token(kept) == token
