"""What identifies an item: a JMESPath expression for each result key, inferred from the model if the crawl has none.

The order is: an ARN, an ID, a name, a key. Each counts under its plain name (`Arn`) or after the item's own name
(`RoleArn` in `Roles`), because other ARNs and IDs in an item belong to something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pageturner.paging import api, pagination

# Items whose inferred member is not unique in a listing. None: the whole item is its identity.
_NOT_BY_ONE_MEMBER: Mapping[tuple[str, str], str | None] = {
    ("cloudwatch", "Metrics"): None,
    ("route53", "ResourceRecordSets"): "[Name, Type, SetIdentifier]",
    ("s3", "DeleteMarkers"): "[Key, VersionId]",
    ("s3", "Uploads"): "[Key, UploadId]",
    ("s3", "Versions"): "[Key, VersionId]",
}
_ENDINGS = ("arn", "id", "identifier", "name", "key")
# Suffixes that models append to a noun to name its entry in a list.
_SUFFIXES = re.compile(
    r"(List)?(Entry|Item|Summary|Info|Information|Details?|Description|Configuration|Metadata|Type)$"
)


def keys_of(
    service: str, operation: str, paginator: Mapping[str, Any], key: str | None, search: str | None
) -> dict[str, str | None]:
    """Return the identity of the items of each result key: an expression, or None for a hash of the item.

    With `search`, the items are whatever it returns, under the single name "search".
    """
    if search is not None:
        return {"search": key}
    names = pagination.result_keys(paginator)
    return {name: key or _inferred(service, operation, name) for name in names}


@cache
def _inferred(service: str, operation: str, result_key: str) -> str | None:
    if (service, result_key) in _NOT_BY_ONE_MEMBER:
        return _NOT_BY_ONE_MEMBER[service, result_key]
    shape: Any = pagination.result_shape(api.operation_model(service, operation), result_key)
    if shape is None:
        return None
    if shape.type_name == "map":
        return "key"
    item = shape.member if shape.type_name == "list" else shape
    if item.type_name == "string":
        return "@"
    if item.type_name != "structure":
        return None
    if len(item.members) == 1:
        (only,) = item.members
        return only if item.members[only].type_name == "string" else None
    by_lower_case = {name.lower(): name for name, member in item.members.items() if member.type_name == "string"}
    nouns = ("", *_nouns(result_key.rpartition(".")[2], item.name))
    candidates = (f"{noun}{ending}" for ending in _ENDINGS for noun in nouns)
    return next((by_lower_case[name] for name in candidates if name in by_lower_case), None)


def _nouns(result_key: str, shape: str) -> list[str]:
    """The nouns for an item, in lower case: from its list's name, from its own shape, and the last words of both."""
    names = [_singular(result_key), shape, _SUFFIXES.sub("", shape)]
    last_words = [words[-1] for name in names if (words := re.findall(r"[A-Z][a-z]+", name))]
    return [name.lower() for name in [*names, *last_words]]


def _singular(name: str) -> str:
    bare = re.sub(r"(Summaries|SummaryList|Summary|List|Set)$", "", name)
    for plural, singular in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if bare.endswith(plural):
            return bare.removesuffix(plural) + singular
    return bare
