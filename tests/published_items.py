"""Changes that a publication tells DynamoDB, and tables to tell them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from pageturner.crawls.crawl import Crawl
from pageturner.stores.item_rows import Change
from pageturner.stores.item_table import ItemTable
from pageturner.stores.publishing_fences import PublishingFences
from tests.fakes import client_error

CRAWL = Crawl("roles", "iam", "list_roles")
SINCE = "2026-01-02T00:00:00.000Z"
_CHANGE = Change(
    kind="new",
    account="111111111111",
    region="eu-west-1",
    target="t1",
    listing="l1",
    result_key="Roles",
    key="",
    name="",
    after=None,
    hash="0123456789abcdef",
    first_seen="2026-01-01T00:00:00Z",
    last_changed="2026-01-02T00:00:00Z",
    fetched_at="2026-01-02T01:00:00Z",
    run_id="run-2",
    page_object="items/page",
)


def listed(name: str, after: str = '{"RoleName":"r"}', **more: Any) -> Change:
    """An item that is new or changed."""
    return replace(_CHANGE, name=name, key=name, after=after, **more)


def gone(name: str, **more: Any) -> Change:
    """An item that is no longer listed."""
    return replace(_CHANGE, kind="gone", name=name, key=name, **more)


def fences_of(dynamodb: Any) -> PublishingFences:
    """The fences."""
    return PublishingFences(dynamodb, "runs")


def unfenced_table_of(dynamodb: Any) -> ItemTable:
    """The items table, for whoever puts up no fence."""
    return ItemTable(dynamodb, "items", fences_of(dynamodb))


def table_of(dynamodb: Any, crawl: Crawl = CRAWL, publication: int = 1) -> ItemTable:
    """The items table, which is ready to be told of a publication."""
    assert fences_of(dynamodb).put_up(crawl.name, publication)
    return unfenced_table_of(dynamodb)


def cancelled(*codes: str) -> ClientError:
    """What DynamoDB answers if it cancels a transaction, with a code for each action."""
    reasons = [{"Code": code} for code in codes]
    return client_error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)


@dataclass
class Refusing:
    """A client whose n-th requests to write, from 1, fail with what `answers` has for them."""

    dynamodb: Any
    answers: dict[int, BaseException]
    after: bool = False  # DynamoDB does the request, and its answer is lost
    requests: int = 0

    def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Any:
        self.requests += 1
        answer = self.answers.get(self.requests)
        if answer is not None and not self.after:
            raise answer
        done = self.dynamodb.transact_write_items(TransactItems=TransactItems)
        if answer is not None:
            raise answer
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dynamodb, name)
