"""The fence of each listing, in the runs table: the newest run, and its pass, that has listed all of it.

Items are written in transactions that check the fence. Whoever is late, because it was given up, belongs to an earlier
pass, or to a run that began before, cannot bring back what a newer complete listing has removed.
"""

from __future__ import annotations

from typing import Any

from pageturner.page_state import Run, Target
from pageturner.stores import keys
from pageturner.stores.item_rows import version
from pageturner.stores.run_table import RunTable, expires_at

# The name of the attribute is a placeholder, because AWS adds to its reserved words.
_NAMES = {"#version": "version"}
_OPEN = "attribute_not_exists(#version) OR #version < :mine"
_OWN = "#version = :mine"


class ListingFences:
    """Raises fences, and makes the checks of them for the transactions of others."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def put_up(self, run: Run, crawl_name: str, target: Target, pass_number: int) -> bool:
        """Fence a target's listing off from older runs and passes, and from writers of this pass that are late.

        Returns False if a newer one has done so before.
        """
        return self._table.write_if(
            f"could not write the fence of {target.listing_id} to the runs table",
            "update_item",
            Key=_row(crawl_name, target),
            UpdateExpression="SET #version = :mine, expires_at = :expires_at",
            ConditionExpression="attribute_not_exists(#version) OR #version <= :mine",
            ExpressionAttributeNames=_NAMES,
            ExpressionAttributeValues={
                ":mine": {"S": version(run, pass_number)},
                ":expires_at": expires_at(run),
            },
        )

    def check(self, run: Run, crawl_name: str, target: Target, pass_number: int, *, behind: bool = False) -> Any:
        """Return the part of a transaction that lets it write only while no one has fenced it off.

        Whoever has put up the fence itself writes from `behind` it.
        """
        return {
            "ConditionCheck": {
                "TableName": self._table.name,
                "Key": _row(crawl_name, target),
                "ConditionExpression": _OWN if behind else _OPEN,
                "ExpressionAttributeNames": _NAMES,
                "ExpressionAttributeValues": {":mine": {"S": version(run, pass_number)}},
            }
        }


def _row(crawl_name: str, target: Target) -> dict[str, Any]:
    return keys.row(keys.FENCE.format(keys.partition_key(crawl_name, target)), "fence")
