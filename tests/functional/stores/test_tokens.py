"""Tokens of every type on their way through state, page object and checkpoint."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.paginate import TokenDecoder, TokenEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from pageturner.page_state import Place, Run, Target
from pageturner.paging import api, pagination
from pageturner.stores.page_store import CommittedPage, Facts, PageStore
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


def page_with(store: PageStore, token: str | None, number: int = 1) -> CommittedPage:
    facts = Facts(token, None if token else "complete", 1, {})
    line = {"result_key": "Contents", "key": "k", "item": '{"Key": "k"}'}
    return store.commit(RUN, "c", Target("t", "1", "us-east-1", {}), Place(page=number), [line], facts)


@pytest.mark.parametrize("token", [None, "", "t", "t" * 1500, "t" * 1501, "\x1f\x8b\0é\U0001f600"])
def test_who_comes_to_a_page_that_is_there_has_its_token_and_its_items(aws: Aws, token: str | None) -> None:
    store = PageStore(aws.s3, aws.bucket)
    first = page_with(store, token)
    found = page_with(store, "of another answer")
    assert (found.is_repeat, found.facts, found.records) == (True, first.facts, first.records)
    assert store.token(found.facts.next_token) == token


def test_the_token_is_where_the_items_are_and_readers_of_these_do_not_see_it(aws: Aws, tmp_path: Path) -> None:
    key = page_with(PageStore(aws.s3, aws.bucket), "a-token").key
    stored = aws.s3.get_object(Bucket=aws.bucket, Key=key)
    body = stored["Body"].read()
    assert "a-token" not in json.dumps(stored["Metadata"])
    assert b"a-token" in body
    path = tmp_path / "page.jsonl.gz"
    path.write_bytes(body)
    rows = duckdb.read_json(str(path), format="newline_delimited").project("key").fetchall()
    by_zlib = zlib.decompress(body, wbits=31)  # like the native readers of Hadoop
    assert (rows, len(by_zlib.splitlines())) == ([("k",)], 1)


def test_a_page_of_an_earlier_version_has_its_token_in_the_metadata(aws: Aws) -> None:
    store = PageStore(aws.s3, aws.bucket)
    key = page_with(store, None).key
    body = aws.s3.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
    facts: dict[str, object] = {"next_token": "a-token", "end": None, "taken": 1, "sums": {}}
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=body, Metadata={"page": json.dumps(facts)})
    assert store.read(key).facts == Facts("a-token", None, 1, {})


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
