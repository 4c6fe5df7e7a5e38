"""One page of a paginated operation, exactly as botocore pages it.

botocore's own `Paginator` does the paging. It gets a method whose first call is real, and whose second call only
captures the arguments that would fetch the next page. What botocore keeps in local variables between two pages
travels in a `Place` instead: the token, and how many items `MaxItems` has counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from botocore.model import OperationModel
from botocore.paginate import Paginator, TokenDecoder, TokenEncoder

from pageturner.paging.expressions import find, only_finds_parts

# botocore's own member of a StartingToken: how many items of the page were already taken.
_TRUNCATE = "boto_truncate_amount"
# How state and metadata refer to a token that is too long for them. boto3's tokens are base64, and have no colon.
REFERENCE = "s3:"
# The result key of an answer that is an item as a whole, as in JMESPath.
WHOLE = "@"
_METADATA = "ResponseMetadata"


@dataclass(frozen=True)
class Page:
    """One page as botocore's PageIterator yields it, and how the listing continues.

    `next_token` fetches the next page (encoded by botocore's `TokenEncoder`, so boto3 and the AWS CLI accept it as a
    starting token); None ends the listing. `resume_token` is botocore's own `PageIterator.resume_token`, set if
    `MaxItems` stopped the listing. `repeated_token` says whether `next_token` also fetched this page.
    `taken` counts the items of the primary result key, which are the ones that `MaxItems` counts.
    `non_aggregate` is botocore's `non_aggregate_part`. `is_cut` says that other parts have the rest of the listing.
    `miscount` is how many more items the answer said that it had.
    """

    response: Mapping[str, Any]
    taken: int
    next_token: str | None
    resume_token: str | None
    repeated_token: bool
    non_aggregate: Mapping[str, Any]
    is_cut: bool = False
    miscount: int = 0


class _NextPage(Exception):  # noqa: N818 - a signal, not an error
    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments


def fetch_page(
    method: Callable[..., Any],
    model: OperationModel,
    paginator: Mapping[str, Any],
    parameters: Mapping[str, Any],
    pagination_config: Mapping[str, Any],
    *,
    token: str | None = None,
    taken: int = 0,
    excluded_by_token: Sequence[str] = (),
) -> Page:
    """Call `method` once and return its page.

    `method` is the client's method, `paginator` an entry of botocore's ``paginators-1.json``. Without `token`, this is
    the listing's first page, and `pagination_config` can have a `StartingToken`. With `token`, it is a later page, and
    `taken` is how many items of the primary result key the pages before it had. `excluded_by_token` are parameters that
    the service does not take together with a token.
    If the paginator has no `input_token`, the answer is the whole listing.
    Raises what `method` and botocore's paginator raise, and `InvalidCrawlError`.
    """
    if "input_token" not in paginator:
        return _only_page(method(**parameters), paginator)
    calls = 0
    tokens_of = input_tokens(paginator)

    def first_call_only(**arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise _NextPage(arguments)
        if any(arguments.get(name) is not None for name in tokens_of):
            arguments = {name: value for name, value in arguments.items() if name not in excluded_by_token}
        response = method(**arguments)
        _check_expressions(paginator, response)
        return response

    arguments = dict(parameters)
    config = {key: value for key, value in pagination_config.items() if value is not None}
    sent: dict[str, Any] | None = None
    if token is not None:
        # Never as a StartingToken: botocore empties the secondary result keys of the page that a StartingToken fetches.
        config.pop("StartingToken", None)
        sent = tokens_in(token)
        _inject(arguments, sent)
        if "MaxItems" in config:
            config["MaxItems"] = int(config["MaxItems"]) - taken
    # The stubs type the method as a name, and the tokens as dicts.
    pages: Any = Paginator(cast(Any, first_call_only), dict(paginator), model).paginate(
        **arguments, PaginationConfig=config
    )
    turning = iter(pages)
    response = next(turning)
    taken_here = len(pages.result_keys[0].search(response) or [])
    next_token = resume_token = None
    repeated = False
    try:
        next(turning)
    except StopIteration:
        resume_token = _resume_token(pages.resume_token, sent)
    except _NextPage as following:
        tokens = {key: following.arguments.get(key) for key in tokens_of}
        next_token = TokenEncoder().encode(tokens)
        repeated = tokens == sent
    return Page(response, taken_here, next_token, resume_token, repeated, pages.non_aggregate_part)


def _check_expressions(paginator: Mapping[str, Any], response: Mapping[str, Any]) -> None:
    """Evaluate what could take too many steps, before botocore, which does not count them, does so."""
    for name in ("result_key", "output_token", "more_results"):
        expressions = paginator.get(name, [])
        for each in [expressions] if isinstance(expressions, str) else expressions:
            if not only_finds_parts(each):
                find(name, each, response)


def _only_page(response: Mapping[str, Any], paginator: Mapping[str, Any]) -> Page:
    """The page of a listing that has one. What is beside its items is non-aggregate, as botocore calls it."""
    (primary, *_) = names = result_keys(paginator)
    taken = [response] if primary == WHOLE else find("result_key", primary, response) or []
    tops = {WHOLE, _METADATA, *(name.partition(".")[0] for name in names)}
    beside = {} if WHOLE in tops & set(names) else {name: it for name, it in response.items() if name not in tops}
    return Page(
        response, len(taken) if isinstance(taken, list) else 1, None, None, repeated_token=False, non_aggregate=beside
    )


def _inject(arguments: dict[str, Any], tokens: Mapping[str, Any]) -> None:
    for name, value in tokens.items():
        if value is None:
            arguments.pop(name, None)
        else:
            arguments[name] = value


def _resume_token(resume_token: str | None, sent: Mapping[str, Any] | None) -> str | None:
    """The token of a page that `MaxItems` cut is the one that *fetched* it, which botocore does not know here."""
    if resume_token is None or sent is None:
        return resume_token
    decoded = TokenDecoder().decode(resume_token)
    return TokenEncoder().encode({**decoded, **sent}) if _TRUNCATE in decoded else resume_token


def tokens_in(token: str | None) -> dict[str, Any]:
    """Return the parameters that a token of `fetch_page` sets (None: removes), by name."""
    return TokenDecoder().decode(token) if token is not None else {}


def tokens_in_any(token: str | None) -> dict[str, Any]:
    """Return the same with the token itself; of what is no token of `fetch_page`, only that."""
    try:
        return {"token": token, **tokens_in(token)}
    except (ValueError, TypeError, AttributeError):
        return {"token": token}


def input_tokens(paginator: Mapping[str, Any]) -> list[str]:
    """The paginator's `input_token`, a name or a list of names, as a list; empty if a listing has one page."""
    names = paginator.get("input_token", [])
    return names if isinstance(names, list) else [names]


def result_keys(paginator: Mapping[str, Any]) -> list[str]:
    """The paginator's `result_key`, an expression or a list of them, as a list; the first is the primary one."""
    keys = paginator["result_key"]
    return keys if isinstance(keys, list) else [keys]


def items(
    response: Mapping[str, Any], model: OperationModel, paginator: Mapping[str, Any], search: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the items of a page, each with its result key.

    Each element of a list is an item. So is each entry of a map, as ``{"key": …, "value": …}``, and each structure or
    string as a whole, and the answer under the name "@". A number is a sum (see `sums`). With `search`, the items are
    what boto3's ``PageIterator.search`` gives, under the name "search"; if it finds nothing on a page, there is none.
    """
    if search is not None:
        found = find("search", search, response)
        if found is not None:
            yield from (("search", item) for item in (found if isinstance(found, list) else [found]))
        return
    for name in result_keys(paginator):
        if name == WHOLE:
            yield name, {member: value for member, value in response.items() if member != _METADATA}
            continue
        found = find("result_key", name, response)
        if isinstance(found, list):
            yield from ((name, item) for item in found)
        elif isinstance(found, Mapping) and getattr(result_shape(model, name), "type_name", None) == "map":
            yield from ((name, {"key": key, "value": value}) for key, value in found.items())
        elif found and isinstance(found, str | bytes | Mapping):
            yield name, found


def sums(response: Mapping[str, Any], paginator: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among the result keys of a page (dynamodb's Count), which botocore adds up over all pages."""
    found = {name: find("result_key", name, response) for name in result_keys(paginator)}
    return {name: n for name, n in found.items() if isinstance(n, int | float) and not isinstance(n, bool)}


def result_shape(model: OperationModel, result_key: str) -> Any:
    """The shape that a result key like ``A.B`` finds in an operation's output, or None if it is an expression."""
    shape: Any = model.output_shape
    if result_key == WHOLE:
        return shape
    for name in result_key.split("."):
        shape = getattr(shape, "members", {}).get(name)
        if shape is None:
            return None
    return shape
