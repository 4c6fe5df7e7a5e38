"""The fence of each crawl, in the runs table: the number of the newest publication that tells DynamoDB.

Items are written in transactions that check the fence. Whoever is late, because it was given up, works at an older
publication, and cannot bring back what a newer one has changed or removed. Transactions that check the same row get in
each other's way, so a fence has lanes, a row each, and whoever works beside others takes a lane of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pageturner.stores import keys
from pageturner.stores.transactions import transact

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LANES = 8
# The name of the attribute is one of DynamoDB's reserved words.
_NAMES = {"#number": "number"}


class PublishingFences:
    """Raises fences, and makes the checks of them for the transactions of others."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def put_up(self, crawl_name: str, number: int) -> bool:
        """Fence older publications off, whatever still works at them. Repeating this is harmless.

        Returns False if a newer one has done so before. Raises `SinkError`.
        """
        raised = [
            {
                "Update": {
                    "UpdateExpression": "SET #number = :mine",
                    **self._lane(crawl_name, number, lane, "attribute_not_exists(#number) OR #number <= :mine"),
                }
            }
            for lane in range(LANES)
        ]
        return not transact(
            self._dynamodb, f"could not write the fence of crawl {crawl_name} to the runs table", raised
        )

    def check(self, crawl_name: str, number: int, lane: int) -> dict[str, Any]:
        """Return the part of a transaction that lets it write only while the fence is that of publication `number`."""
        return {"ConditionCheck": self._lane(crawl_name, number, lane, "#number = :mine")}

    def _lane(self, crawl_name: str, number: int, lane: int, condition: str) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": keys.row(keys.FENCE.format(crawl_name), keys.LANE.format(lane)),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": {":mine": {"N": str(number)}},
        }
