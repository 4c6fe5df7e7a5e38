"""`for_each`: the parameters of many targets, from a literal list or matrix, or from the items of another crawl."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.crawls.bounds import wrong_document
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError
from pageturner.messages import described, listed
from pageturner.paging.api import is_region
from pageturner.paging.expression_limits import MOST_STEPS, Steps
from pageturner.paging.expressions import find

_ACCOUNT = re.compile("[0-9]{12}")
# For the items of all pages: PlanRun has several minutes.
_MOST_STEPS = 50 * MOST_STEPS


@dataclass(frozen=True)
class Binding:
    """The parameters of one target of a `for_each`, and where it is: None is where the crawl says.

    `parent` is what its items say about the item that it is made for.
    """

    parameters: Mapping[str, Any]
    account: str | None = None
    region: str | None = None
    parent: Mapping[str, Any] | None = None


def literal_bindings(for_each: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a literal `list`, or each combination of a `matrix`."""
    if "list" in for_each:
        yield from for_each["list"]
        return
    matrix = for_each["matrix"]
    for values in itertools.product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def item_bindings(
    crawl: Crawl, records: Iterable[Mapping[str, Any]], parameters: Mapping[str, Mapping[str, Any]]
) -> Iterator[Binding]:
    """Yield a binding for each item of the run of a crawl's source.

    `records` are the run's lines; `parameters` has the parameters of its targets, by target id.
    Raises `InvalidCrawlError` if an expression finds nothing: nobody would notice a missing target. What `parent` does
    not find is None.
    """
    for_each = crawl.for_each or {}
    names = for_each.get("parameters", {})
    texts = {f"parameters.{name}": text for name, text in names.items()}
    texts |= {place: for_each[place] for place in ("account", "region") if place in for_each}
    steps = Steps(_MOST_STEPS)
    for record in records:
        about = {
            "item": json.loads(record["item"]),
            "key": record["key"],
            "account": record["account"],
            "region": record["region"],
            "parameters": parameters[record["target"]],
        }
        found = {place: find(f"for_each.{place}", text, about, steps) for place, text in texts.items()}
        for place, value in found.items():
            if value is None:
                raise InvalidCrawlError(
                    f"for_each.{place}: {json.dumps(texts[place])} finds nothing in {_item(record, about)}; "
                    f"for a default, append \"|| 'value'\""
                )
            if not _is_right(place, value):
                what = "a region" if place == "region" else "the ID of an account, 12 digits"
                raise InvalidCrawlError(
                    f"for_each.{place}: {json.dumps(texts[place])} gives {described(value)}, which is not {what}, in "
                    f"{_item(record, about)}"
                )
        chosen = for_each.get("parent", {})
        parent = {name: find(f"for_each.parent.{name}", text, about, steps) for name, text in chosen.items()}
        for place, value in (*found.items(), *((f"parent.{name}", each) for name, each in parent.items())):
            if wrong := wrong_document(value, place):
                raise InvalidCrawlError(f"for_each.{wrong}")
        yield Binding(
            parameters={name: found[f"parameters.{name}"] for name in names},
            account=None if crawl.accounts else found.get("account", record["account"]),
            region=None if crawl.regions else found.get("region", record["region"]),
            parent={
                "key": record["key"],
                **parent,
            },
        )


def _item(record: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Which item of the source this is, by the names that it has and the page that has it."""
    item = about["item"]
    what = f"with the members {listed(item)}" if isinstance(item, dict) else f"that is {described(item)}"
    return f"an item {what}, on page {record['page']} of {record['target']} in run {record['run_id']}"


def _is_right(place: str, value: Any) -> bool:
    if place == "account":
        return isinstance(value, str) and _ACCOUNT.fullmatch(value) is not None
    return place != "region" or (isinstance(value, str) and is_region(value))
