"""Which parameters say where a listing begins, and which ones a service does not take together with a token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.model import OperationModel
from botocore.paginate import TokenDecoder, TokenEncoder

from pageturner.paging import split
from pageturner.paging.pagination import input_tokens

# Besides the tokens themselves: the same under other names (StartAfter, ExclusiveStartShardId, StartingBlockIndex).
# Times are no starts: a listing from a StartTime on is a whole listing of what the parameters ask for.
_STARTS = re.compile(
    r"exclusivestart\w+|start(ing)?after\w*|startingblockindex|startrecord\w+|startposition|start|\w*marker", re.I
)
# The models' own words: "You cannot specify this parameter if you specify NextToken". Sent again with the token, they
# fail every page but the first.
_EXCLUDED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cloudsearchdomain", "search"): ("start",),
    # ShardFilter: the service says so (github.com/awslabs/amazon-kinesis-client/issues/788), the model does not.
    ("kinesis", "list_shards"): ("StreamName", "StreamCreationTimestamp", "ExclusiveStartShardId", "ShardFilter"),
    ("kinesis", "list_stream_consumers"): ("StreamCreationTimestamp",),
    ("lightsail", "get_subdomains"): ("subdomainName",),
    ("redshift", "describe_cluster_db_revisions"): ("ClusterIdentifier",),
    ("redshift", "describe_cluster_security_groups"): ("ClusterSecurityGroupName",),
    ("redshift", "describe_clusters"): ("ClusterIdentifier",),
    ("redshift", "describe_snapshot_copy_grants"): ("SnapshotCopyGrantName",),
    ("route53domains", "list_prices"): ("Tld",),
}


def starts_among(model: OperationModel, parameters: Iterable[str], paginator: Mapping[str, Any]) -> list[str]:
    """Return the parameters that say where the listing begins: what lies before it is not listed."""
    tokens = input_tokens(paginator)
    shapes = model.input_shape.members if model.input_shape is not None else {}
    return [
        name
        for name in parameters
        if name in tokens or (_STARTS.fullmatch(name) and name in shapes and shapes[name].type_name != "timestamp")
    ]


def excluded_by_token(service: str, operation: str) -> tuple[str, ...]:
    """Return the parameters that the service refuses in a request with a token."""
    return _EXCLUDED.get((service, operation), ())


def token_of_whole_page(starting_token: str | None, paginator: Mapping[str, Any]) -> str | None:
    """Return a StartingToken that begins with a page nobody has taken items of, as the token of that page.

    boto3 leaves out the secondary result keys of the page that a StartingToken fetches, because the caller has them if
    `MaxItems` cut that page. If it ended with the page before, nobody has them.
    """
    if starting_token is None:
        return None
    names = input_tokens(paginator)
    try:
        tokens = TokenDecoder().decode(starting_token)
    except (ValueError, TypeError):
        # A service's own token, as boto3 takes it; "___" separates several, and how many items to leave out.
        return TokenEncoder().encode({names[0]: starting_token}) if _is_raw(starting_token, names) else None
    return starting_token if isinstance(tokens, dict) and set(tokens) == set(names) else None


def _is_raw(starting_token: str, names: list[str]) -> bool:
    return len(names) == 1 and "___" not in starting_token and starting_token != "None"  # noqa: S105 - no password


def token_behind(service: str, operation: str, key: str, names: list[str]) -> str | None:
    """Return a token that continues an ordered listing behind an item's `key`, without the service's own tokens.

    `names` are the input tokens. None if the service's token is a key itself: another one would be no better.
    """
    way = split.way_of(service, operation)
    if way is None or way.start in names:
        return None
    return TokenEncoder().encode({**dict.fromkeys(names), way.start: key})
