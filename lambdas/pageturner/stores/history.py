"""The history of crawls, in the runs table: a row for each run from its first second, and one for how each crawl is.

Whoever asks "is it well?" reads these rows, and nothing else. They follow the records of runs, which decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from pageturner.page_state import Run
from pageturner.stores import keys
from pageturner.stores.run_table import RunTable, values_of

_LONGEST_MESSAGE = 2_000
# What a summary says of a run, and what is said of its publication.
_OF_SUMMARY = ("outcome", "verdict", "ended_at", "pages", "items", "bytes", "throttles", "restarts")
_OF_PUBLICATION = ("new", "changed", "gone")
_DECIMALS = ("seconds", "estimated_cost")


@dataclass(frozen=True)
class HistoryRow:
    """A run: its `outcome` is that of its summary, or "stopped".

    Without `ended_at` it has not ended; with it, but without `reported_at`, it has not been published and reported.
    `told_after` is after how many redrives of its execution people last heard that it was stopped. `targets` are
    counted once they are planned. `seconds` and `estimated_cost` (dollars) are numbers as text.
    """

    run_id: str
    crawl: str
    started_at: str
    execution: str
    generation: int = 1
    as_catalogued: bool = False
    targets: int | None = None
    ended_at: str | None = None
    outcome: str | None = None
    verdict: str | None = None
    message: str | None = None
    pages: int | None = None
    items: int | None = None
    bytes: int | None = None
    throttles: int | None = None
    restarts: int | None = None
    seconds: str | None = None
    estimated_cost: str | None = None
    new: int | None = None
    changed: int | None = None
    gone: int | None = None
    reported_at: str | None = None
    told_after: int | None = None


@dataclass(frozen=True)
class CrawlStatus:
    """How a crawl is: its latest run, its last complete one as the catalogue has it, and who was `refused` since.

    `outcome`, `verdict`, `ended_at` and `message` are those of the latest run, once it has ended. `complete_seconds` is
    a number as text. `promise` is what its schedule says, since CheckCrawls saw it first, which also knows whether the
    crawl is overdue.
    """

    crawl: str
    run_id: str | None = None
    started_at: str | None = None
    execution: str | None = None
    outcome: str | None = None
    verdict: str | None = None
    ended_at: str | None = None
    message: str | None = None
    complete_run_id: str | None = None
    complete_started_at: str | None = None
    complete_ended_at: str | None = None
    complete_seconds: str | None = None
    refused: int = 0
    promise: str | None = None
    promised_since: str | None = None
    overdue_since: str | None = None


class History:
    """Writes and reads the rows. Repeating a write is harmless, and who is late changes nothing."""

    def __init__(self, table: RunTable) -> None:
        self._table = table

    def begin(self, run: Run, crawl: str, *, as_catalogued: bool) -> None:
        """Record that a run begins, or that its next generation does."""
        about = _about(run, crawl)
        self._update(
            _row(run, crawl),
            {**about, "as_catalogued": int(as_catalogued)},
            "attribute_not_exists(pk) OR generation < :generation",
            removed=[*_OF_SUMMARY, *_OF_PUBLICATION, *_DECIMALS, "message", "reported_at", "told_after"],
        )
        # Whoever was killed in between is repeated.
        self._update(
            _status(crawl),
            {**about, "refused": 0},
            "attribute_not_exists(started_at) OR (started_at <= :started_at AND run_id <> :run_id) "
            "OR (run_id = :run_id AND generation < :generation)",
            removed=["outcome", "verdict", "ended_at", "message"],
        )

    def plan(self, run: Run, crawl: str, targets: int) -> None:
        """Record how many targets a run has."""
        self._of_generation(run, crawl, {"targets": targets})

    def end(self, run: Run, crawl: str, summary: Mapping[str, Any], *, as_catalogued: bool) -> None:
        """Record that a run has ended; or that it continues in another execution."""
        found = _ended_as(summary)
        self._of_generation(run, crawl, {**found, "as_catalogued": int(as_catalogued)})
        self._set_status(run, crawl, found)

    def report(self, run: Run, crawl: str, summary: Mapping[str, Any], output: Mapping[str, Any], now: str) -> None:
        """Record that a run has been published, as far as it was to be, and reported: by its summary, and the output of
        the execution. If it counted as stopped before it was published, it does so no longer.
        """
        found, published = _ended_as(summary), output.get("published") or {}
        changes = {name: published[name] for name in _OF_PUBLICATION if name in published}
        cost = {"estimated_cost": str(output["estimated_cost"])}
        if self._of_generation(run, crawl, {**found, **changes, **cost, "reported_at": now}):
            self._set_status(run, crawl, found)
        row = self.run(run, crawl)
        if row is not None and row.as_catalogued and summary["outcome"] == "succeeded":
            last = {"run_id": run.run_id, "started_at": run.started_at, "ended_at": summary["ended_at"]}
            complete = {
                f"complete_{name}": value for name, value in {**last, "seconds": str(summary["seconds"])}.items()
            }
            self._update(
                _status(crawl),
                {"crawl": crawl, **complete},
                "attribute_not_exists(complete_started_at) OR complete_started_at < :complete_started_at",
            )

    def stop(self, run: Run, crawl: str, message: str, now: str, told_after: int | None = None) -> None:
        """Record that a run has ended without a summary, or without being published; its `message` says why.

        If nobody was told, this says nothing of a run of which it is known already how it ended.
        """
        said = {"outcome": "stopped", "message": message[:_LONGEST_MESSAGE], "ended_at": now}
        only = "" if told_after is not None else " AND attribute_not_exists(ended_at)"
        if self._of_generation(run, crawl, {**said, "told_after": told_after}, only):
            self._set_status(run, crawl, said)

    def go_on(self, run: Run, crawl: str) -> None:
        """Record that a run which was stopped goes on, as its execution was redriven."""
        about = {"run_id": run.run_id, "generation": run.generation}
        still = "run_id = :run_id AND generation = :generation AND outcome = :stopped"
        for row in (_row(run, crawl), _status(crawl)):
            self._update(row, about, still, removed=["outcome", "message", "ended_at"], compared={"stopped": "stopped"})

    def refuse(self, crawl: str) -> int:
        """Count that a run was refused, and return how many were since one has begun."""
        updated = self._table.update_row(
            _status(crawl),
            f"the status of crawl {crawl}",
            "SET refused = if_not_exists(refused, :none) + :one, crawl = :crawl",
            {":none": {"N": "0"}, ":one": {"N": "1"}, ":crawl": {"S": crawl}},
        )
        return int(updated["refused"]["N"]) if updated else 0

    def set_promise(self, crawl: str, promise: str, now: str) -> None:
        """Record what a crawl promises from now on."""
        self._update(_status(crawl), {"crawl": crawl, "promise": promise, "promised_since": now})

    def set_overdue(self, crawl: str, since: str | None) -> None:
        """Record since when a crawl has been overdue, or that it is so no longer. That is kept until it runs again."""
        self._update(_status(crawl), {"crawl": crawl, "overdue_since": since}, removed=["overdue_since", "expires_at"])

    def forget_promise(self, crawl: str, expires_at: int) -> None:
        """Record that a crawl promises nothing any more, and is to be forgotten then, in seconds since 1970."""
        gone = ["promise", "promised_since", "overdue_since"]
        self._update(_status(crawl), {"crawl": crawl, "expires_at": expires_at}, removed=gone)

    def run(self, run: Run, crawl: str) -> HistoryRow | None:
        """Return the row of a run, or None if it has expired or an earlier version has not put it."""
        found = self._table.get(_row(run, crawl), f"the history of run {run.run_id}")
        return None if found is None else _parsed(HistoryRow, found)

    def runs(self, crawl: str, limit: int | None = None) -> Iterator[HistoryRow]:
        """Yield the runs of a crawl, the latest first; at most `limit`."""
        for found in self._table.rows(keys.HISTORY.format(crawl), latest_first=True, limit=limit):
            yield _parsed(HistoryRow, found)

    def crawls(self) -> list[CrawlStatus]:
        """Return how each crawl is that has ever run, or was to run, by name."""
        return [_parsed(CrawlStatus, found) for found in self._table.rows(keys.STATUS)]

    def crawl(self, name: str) -> CrawlStatus | None:
        """Return how a crawl is, or None if it has never run."""
        found = self._table.get(_status(name), f"the status of crawl {name}")
        return None if found is None else _parsed(CrawlStatus, found)

    def _of_generation(self, run: Run, crawl: str, values: Mapping[str, Any], only: str = "") -> bool:
        """Set values of a run's row, unless it is of another generation. That of a run which began before there was a
        history is put now.
        """
        return self._update(
            _row(run, crawl),
            {**_about(run, crawl), **values},
            f"(attribute_not_exists(generation) OR generation = :generation){only}",
        )

    def _set_status(self, run: Run, crawl: str, ended_as: Mapping[str, Any]) -> None:
        """Say of a crawl how its latest run has ended, if it is this one, or if there was no history before it."""
        said = {name: ended_as.get(name) for name in ("outcome", "verdict", "ended_at", "message")}
        latest = "attribute_not_exists(run_id) OR (run_id = :run_id AND generation = :generation)"
        self._update(_status(crawl), {**_about(run, crawl), **said}, latest)

    def _update(
        self,
        row: Mapping[str, Any],
        values: Mapping[str, Any],
        condition: str = "",
        removed: Sequence[str] = (),
        compared: Mapping[str, Any] | None = None,
    ) -> bool:
        """Set what is not None of `values`; return whether the condition held, which can use their names, and those of
        what is only `compared`.
        """
        given = {name: value for name, value in values.items() if value is not None}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in given)
        gone = [name for name in removed if name not in given]
        expression += f" REMOVE {', '.join(f'#{name}' for name in gone)}" if gone else ""
        return self._table.write_if(
            f"could not write {row['sk']['S']} of {row['pk']['S']} to the runs table",
            "update_item",
            Key=row,
            UpdateExpression=expression,
            **({"ConditionExpression": condition} if condition else {}),
            ExpressionAttributeNames={f"#{name}": name for name in (*given, *gone)},
            ExpressionAttributeValues={
                f":{name}": value for name, value in values_of({**given, **(compared or {})}).items()
            },
        )


def _parsed(kind: type[Any], item: Mapping[str, Any]) -> Any:
    """Return a row; that of a later version may have more."""
    found = {}
    for each in fields(kind):
        if value := item.get(each.name):
            found[each.name] = int(value["N"]) if "N" in value else value["S"]
    if "as_catalogued" in found:
        found["as_catalogued"] = bool(found["as_catalogued"])
    return kind(**found)


def _ended_as(summary: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: summary[name] for name in _OF_SUMMARY} | {"message": summary["message"][:_LONGEST_MESSAGE]}
    return found | {name: str(summary[name]) for name in _DECIMALS}


def _row(run: Run, crawl: str) -> dict[str, Any]:
    return keys.row(keys.HISTORY.format(crawl), f"{run.started_at}#{run.run_id}")


def _status(crawl: str) -> dict[str, Any]:
    return keys.row(keys.STATUS, crawl)


def _about(run: Run, crawl: str) -> dict[str, Any]:
    return {
        "crawl": crawl,
        "run_id": run.run_id,
        "started_at": run.started_at,
        "execution": run.execution,
        "generation": run.generation,
        "expires_at": run.expires_at,
    }
