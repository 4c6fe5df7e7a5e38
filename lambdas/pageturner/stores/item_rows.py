"""The rows of items in DynamoDB: what they hold, and what they say of the run and the pass that wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pageturner.page_state import Run, Target
from pageturner.stores.keys import item_hash, partition_key, sort_key
from pageturner.stores.page_store import CommittedPage

# DynamoDB Developer Guide, "Quotas": size of an item.
_LARGEST_ITEM = 400 * 1024
# Room for the other attributes of an item: two keys of up to 1 KiB, each twice, and names.
_ROOM = 16 * 1024


def version(run: Run, pass_number: int) -> str:
    """What orders the writers of a listing: a run that began later is newer, and a later pass of the same run."""
    return f"{run.started_at}#{run.run_id}#{pass_number:04d}"


def rows_of(page: CommittedPage, target: Target, result_keys: Sequence[str], run: Run) -> Iterator[dict[str, Any]]:
    """Yield the row of each item of a page."""
    for line, record in enumerate(page.records, start=1):
        yield _row(record, target, result_keys, run, page.key, line)


def _row(
    record: Mapping[str, Any], target: Target, result_keys: Sequence[str], run: Run, page_object: str, line: int
) -> dict[str, Any]:
    item: dict[str, Any] = {
        "pk": {"S": partition_key(record["crawl"], target)},
        "sk": {"S": _name(record, result_keys)},
        # A string item is its own key, and can be as large as a page.
        "key": {"S": sort_key(record["key"])},
        "pass": {"N": str(record["pass"])},
        "version": {"S": version(run, record["pass"])},
        "page_object": {"S": page_object},
        "line": {"N": str(line)},
    }
    for name in ("crawl", "run_id", "account", "region", "target", "result_key", "fetched_at"):
        item[name] = {"S": record[name]}
    if is_large(record):
        item["item_hash"] = {"S": item_hash(record["item"])}
    else:
        item["item"] = {"S": record["item"]}
    return item


def _name(record: Mapping[str, Any], result_keys: Sequence[str]) -> str:
    """The sort key of an item. A folder and a file may have the same name, so the result key comes before it.

    A primary item does without, unless its own key looks as if it had one.
    """
    key, of = record["key"], record["result_key"]
    is_plain = of == result_keys[0] and not key.startswith(tuple(f"{name}#" for name in result_keys))
    return sort_key(key if is_plain else f"{of}#{key}")


def is_large(record: Mapping[str, Any]) -> bool:
    """Return whether an item's text, which is ASCII, is too large for DynamoDB; its page object still has it."""
    return len(record["item"]) > _LARGEST_ITEM - _ROOM


def is_stale(row: Mapping[str, Any], run: Run, passes: Mapping[str, int]) -> bool:
    """Whether a row is of an abandoned pass of this run, or of a run that began before it."""
    if row["run_id"]["S"] == run.run_id:
        # A sweep that was given up may meet a later pass.
        return int(row["pass"]["N"]) < passes.get(row["target"]["S"], int(row["pass"]["N"]) + 1)
    if "version" in row:
        return str(row["version"]["S"]) < version(run, 0)
    # A version of Pageturner wrote it that had no versions of rows.
    return str(row["fetched_at"]["S"]) < run.started_at


def is_listed(row: Mapping[str, Any], run: Run, passes: Mapping[str, int]) -> bool:
    """Whether this run listed the item, in the last pass of its target."""
    return row["run_id"]["S"] == run.run_id and int(row["pass"]["N"]) == passes.get(row["target"]["S"])


def identity(row: Mapping[str, Any]) -> tuple[str, str]:
    """What two rows of the same item have in common."""
    return row["result_key"]["S"], row["item_hash"]["S"] if "item_hash" in row else item_hash(row["item"]["S"])


def apart(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of an item that shares its key with a different one."""
    _, hashed = identity(row)
    return {**row, "sk": {"S": sort_key(f"{row['sk']['S']}#{hashed}")}, "apart": {"BOOL": True}}
