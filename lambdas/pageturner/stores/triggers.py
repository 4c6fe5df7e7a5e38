"""Which execution took a trigger, in the runs table: one row for each trigger of a crawl.

Whoever triggers names the occasion: a schedule its time, a chain the run that has finished. EventBridge delivers at
least once, and the second execution finds the row of the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, expires_at


@dataclass(frozen=True)
class Taken:
    """The execution that has taken a trigger, and the run that it begins."""

    execution: str
    run_id: str


class TriggerStore:
    """Records which execution has taken a trigger. The rows expire with the records of its run."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def take(self, crawl_name: str, trigger: str, run: Run, instead_of: Taken | None = None) -> Taken | None:
        """Take a trigger for the execution of a run. Returns who has it if that is another execution.

        `instead_of` lost it: its execution has ended, and has begun no run.
        """
        row = keys.row(keys.TRIGGER.format(crawl_name), keys.sort_key(trigger))
        condition = "attribute_not_exists(pk) OR execution = :mine"
        values = {":mine": {"S": run.execution}}
        if instead_of is not None:
            condition += " OR execution = :dead"
            values[":dead"] = {"S": instead_of.execution}
        item = {
            **row,
            "execution": {"S": run.execution},
            "run_id": {"S": run.run_id},
            "expires_at": expires_at(run),
        }
        if self._table.write_if(
            f"could not write a trigger of crawl {crawl_name} to the runs table",
            "put_item",
            Item=item,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
        ):
            return None
        found = self._table.get(row, f"a trigger of crawl {crawl_name}")
        if found is None:  # expired just now
            return self.take(crawl_name, trigger, run, instead_of)
        return Taken(found["execution"]["S"], found["run_id"]["S"])
