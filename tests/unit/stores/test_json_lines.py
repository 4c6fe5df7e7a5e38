from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import PageState, Place, Run, Target
from pageturner.paging.identity import Identity
from pageturner.stores.page_body import json_lines
from pageturner.turn.records import records

TEXTS = st.one_of(
    st.text(st.characters(codec=None, categories=None)),  # including lone surrogates
    st.sampled_from(['"key":{}', '"item":{}', '\\"item":{}', "\\", '"', ',"key":']),
)


@given(TEXTS, TEXTS, st.lists(st.tuples(st.sampled_from(["Contents", '"key":{}']), TEXTS)))
def test_a_page_is_a_json_line_for_each_record(crawl: str, account: str, items: list[tuple[str, str]]) -> None:
    state = PageState(Run("r", "d", "s", "l", 1), Crawl(crawl, "s3", "l"), Target("t", account, "r", {}), Place())
    keys = {"Contents": Identity("@", unique=True), '"key":{}': None}
    found = records(state, Place(), items, keys, "2026-01-01T00:00:00.000Z")
    assert [line["item"] for line in found] == [json.dumps(item) for _, item in items]
    assert list(json_lines(found)) == [f"{json.dumps(line, separators=(',', ':'))}\n" for line in found]
