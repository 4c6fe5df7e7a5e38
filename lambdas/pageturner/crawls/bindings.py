"""`for_each`: the parameters of many targets, from a literal list or matrix, or from the items of another crawl."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.errors import InvalidCrawlError
from pageturner.messages import shown
from pageturner.paging.api import is_region
from pageturner.paging.expressions import find


@dataclass(frozen=True)
class Binding:
    """The parameters of one target of a `for_each`. If it sets `account`, it sets `region` too."""

    parameters: Mapping[str, Any]
    account: str | None = None
    region: str | None = None


def literal_bindings(for_each: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a literal `list`, or each combination of a `matrix`."""
    if "list" in for_each:
        yield from for_each["list"]
        return
    matrix = for_each["matrix"]
    for values in itertools.product(*matrix.values()):
        yield dict(zip(matrix, values, strict=True))


def item_bindings(
    for_each: Mapping[str, Any], records: Iterable[Mapping[str, Any]], parameters: Mapping[str, Mapping[str, Any]]
) -> Iterator[Binding]:
    """Yield a binding for each item of a run.

    `records` are the run's lines; `parameters` has the parameters of its targets, by target id.
    Raises `InvalidCrawlError` if an expression finds nothing: nobody would notice a missing target.
    """
    texts = {f"parameters.{name}": text for name, text in for_each["parameters"].items()}
    if "region" in for_each:
        texts["region"] = for_each["region"]
    for record in records:
        about = {
            "item": json.loads(record["item"]),
            "key": record["key"],
            "account": record["account"],
            "region": record["region"],
            "parameters": parameters[record["target"]],
        }
        found = {place: find(f"for_each.{place}", text, about) for place, text in texts.items()}
        for place, value in found.items():
            if value is None:
                raise InvalidCrawlError(
                    f"for_each.{place}: {json.dumps(texts[place])} finds nothing in "
                    f"{json.dumps(about, ensure_ascii=False)[:300]}; for a default, append \"|| 'value'\""
                )
        bound = {name: found[f"parameters.{name}"] for name in for_each["parameters"]}
        region = found.get("region", record["region"])
        if "region" in found and not (isinstance(region, str) and is_region(region)):
            raise InvalidCrawlError(
                f"for_each.region: {json.dumps(texts['region'])} gives {shown(region)}, which is not a region, in "
                f"{json.dumps(about, ensure_ascii=False)[:300]}"
            )
        yield Binding(bound, record["account"], region)
