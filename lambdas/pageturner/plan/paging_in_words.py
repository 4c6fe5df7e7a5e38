"""How a crawl pages, for people to read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pageturner.crawls.bindings import literal_bindings
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.operations import plain_crawls
from pageturner.crawls.secret_fields import HASHED, secret_fields
from pageturner.messages import count_of
from pageturner.paging.identity import Identity, keys_of
from pageturner.paging.page_size import default_page_size
from pageturner.paging.redaction import WAYS


def paging_of(crawl: Crawl) -> dict[str, Any]:
    """How a crawl pages, for people to read: paginator, page size, what is redacted, and what identifies an item.

    Of several operations, only how many there are.
    """
    if crawl.operations:
        plain = [(each.service, each.operation) for each in plain_crawls(crawl)]
        return {"operations": len(plain), "services": len({service for service, _ in plain})}
    paginator = crawl.paginator
    keys = keys_of(crawl.service, crawl.operation, paginator.definition, crawl.key, crawl.search)
    size = _page_size(crawl, paginator.definition)
    return {
        "paginator": paginator.source,
        **paginator.definition,
        "page_size": size or "the service's own",
        **({"details": _details_of(crawl, size)} if crawl.details else {}),
        **({"redacted": redacted} if (redacted := _redacted(crawl)) else {}),
        "keys": {name: "a hash of the item" if key is None else _key_text(key) for name, key in keys.items()},
    }


def _details_of(crawl: Crawl, page_size: Any) -> dict[str, str]:
    """How the details of a crawl are asked for: how many calls a page takes."""
    found = {}
    for each in crawl.details:
        most = each.most_values
        calls = f", up to {count_of(math.ceil(int(page_size) / most), 'call')} a page" if page_size else ""
        found[each.name] = f"{each.service} {each.operation}, for {count_of(most, 'item')} a call{calls}"
    return found


def _redacted(crawl: Crawl) -> dict[str, list[str]]:
    """What is not kept as it is: the paths, by way, and those of the defaults by their names."""
    asked = [(crawl.service, crawl.operation), *((each.service, each.operation) for each in crawl.details)]
    defaults: dict[str, list[str]] = {}
    for each in asked:
        for name, paths in secret_fields(*each).items():
            if name not in crawl.defaults_kept:
                defaults.setdefault(f"{name} (by default)", []).extend(path.removeprefix(HASHED) for path in paths)
    return defaults | {way: list(crawl.redact[way]) for way in WAYS if way in crawl.redact}


def _page_size(crawl: Crawl, paginator: Mapping[str, Any]) -> Any:
    """The page size that a crawl's requests send, or None. All targets of a `for_each` bind the same parameters."""
    for_each = crawl.for_each or {"list": [{}]}
    # For the items of another crawl, the expressions stand for what they will find.
    bound = for_each.get("parameters", {}) if crawl.source else next(literal_bindings(for_each))
    parameters = {**crawl.parameters, **bound}
    asked = crawl.pagination_config.get("PageSize", parameters.get(paginator.get("limit_key", "")))
    return asked or default_page_size(crawl.service, crawl.operation, paginator, parameters, crawl.pagination_config)


def _key_text(key: Identity) -> str:
    return key.expression if key.unique else f"{key.expression}, and a hash of the item"
