"""What an expression finds is what jmespath finds, also where `find` does without it."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageturner.errors import InvalidCrawlError
from pageturner.paging.expressions import find

NAMES = ["a", "b", '"a-b"', '"a.b"']
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=2), st.binary(max_size=2), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "b", "a-b", "a.b"]), inner, max_size=3)
    ),
    max_leaves=6,
)
EXPRESSIONS = st.one_of(
    st.sampled_from([*NAMES, "@", "a.b", "a || b", "[a, b.a]", "[[a], b]", "{x: a}", "a[0]", "[0]", "keys(@)", "`1`"]),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda names: f"[{', '.join(names)}]"),
)


@given(EXPRESSIONS, VALUES)
def test_an_expression_finds_what_jmespath_finds(expression: str, value: Any) -> None:
    try:
        expected = jmespath.search(expression, value)
    except jmespath.exceptions.JMESPathError:
        with pytest.raises(InvalidCrawlError):
            find("key", expression, value)
    else:
        assert find("key", expression, value) == expected
