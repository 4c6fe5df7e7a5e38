"""Redacts what a page is made of, before anything else sees it: answers by default, items as the crawl says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pageturner import errors
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.secret_fields import default_redaction
from pageturner.paging.redaction import WAYS, Redaction
from pageturner.turn.records import item_json


def redacted_answer(service: str, operation: str, kept: tuple[str, ...], answer: Any) -> Any:
    """Return an operation's answer, in which what is known to be secret is redacted, except what is `kept`.

    Raises the errors of `pageturner.errors`.
    """
    if (redaction := default_redaction(service, operation, kept)) is not None:
        redaction.apply(answer, item_json, _key(redaction))
    return answer


def redacting(service: str, operation: str, kept: tuple[str, ...], method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a client's method whose answers are redacted."""
    return lambda **arguments: redacted_answer(service, operation, kept, method(**arguments))


def redaction_of_items(crawl: Crawl) -> Redaction | None:
    """Return what the crawl itself redacts, in an item with its details; None if it redacts nothing."""
    return _of_items(json.dumps({way: crawl.redact.get(way, ()) for way in WAYS})) if crawl.redact else None


@lru_cache
def _of_items(paths: str) -> Redaction | None:
    return Redaction.of(json.loads(paths))


def redacted_text(redaction: Redaction, text: str, detail: str | None = None) -> str:
    """Return the JSON text of an item, or of its `detail` of that name, redacted.

    Raises the errors of `pageturner.errors`.
    """
    value = json.loads(text)
    whole = value if detail is None else {detail: value}
    redaction.apply(whole, item_json, _key(redaction))
    return item_json(whole if detail is None else whole.get(detail))


def _key(redaction: Redaction) -> bytes:
    """Return the deployment's own key for hashes."""
    if not redaction.hashes:
        return b""
    if not (key := os.environ.get("HASH_KEY", "")):
        # While a deployment goes on, a function can have its new code and not yet its new environment.
        raise errors.TransientError("this function has no HASH_KEY, with which the fields of `redact` are hashed")
    return key.encode()
