"""Writes which operations need no parameters, and list what belongs to an account: `make read-operations`.

In lambdas/pageturner/crawls/account_operations.txt, a line for each service, with a mark before each operation that is
not in the inventory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from local.left_out import LEFT_OUT
from pageturner.crawls.inventory import LEFT_OUT_MARK
from pageturner.crawls.pagination_config import required_page_size
from pageturner.crawls.read_only import refusal
from pageturner.paging import api, pagination
from pageturner.paging.paginators import NEVER_ENDING, paginator_of

ACCOUNT_OPERATIONS = Path(__file__).parent.parent / "lambdas" / "pageturner" / "crawls" / "account_operations.txt"
_LISTING_WORDS = ("list", "describe", "get")


def lines() -> str:
    """Return the file."""
    left_out = {(service, name) for its in LEFT_OUT.values() for service in its for name in its[service].split()}
    written = []
    for service in api.service_names():
        names = list(operations(service))
        marks = ["" if lists(service, name) and (service, name) not in left_out else LEFT_OUT_MARK for name in names]
        if names:
            written.append(" ".join([service, *map("".join, zip(marks, names, strict=True))]) + "\n")
    return "".join(written)


def operations(service: str) -> Iterator[str]:
    """Yield the operations that can be crawled with nothing but `service` and `operation`, in boto3's names, sorted."""
    for name in sorted(api.operation_names(service)):
        if (service, name) in NEVER_ENDING or refusal(service, name) is not None:
            continue
        paginator, shape = paginator_of(service, name, {}), api.operation_model(service, name).input_shape
        if paginator.missing is None and paginator.refused is None:
            required = set(shape.required_members) if shape is not None else set()
            if required <= required_page_size(service, name).keys():
                yield name


def lists(service: str, name: str) -> bool:
    """Whether the name and the answer of an operation are those of a listing."""
    primary = pagination.result_keys(paginator_of(service, name, {}).definition)[0]
    shape = pagination.result_shape(api.operation_model(service, name), primary)
    kind = None if primary == pagination.WHOLE else getattr(shape, "type_name", None)
    return name.partition("_")[0] in _LISTING_WORDS and kind in ("list", "map")


if __name__ == "__main__":
    ACCOUNT_OPERATIONS.write_text(lines(), encoding="utf-8")
