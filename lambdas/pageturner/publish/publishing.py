"""Publishes a run: what is next to do, or the end.

Whoever publishes finishes what is pending first, whosever it is: the publications of a crawl follow one another. Killed
anywhere and called again, it comes to the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.errors import CannotPublishError, RunStoppedError, SinkError
from pageturner.finish.output import output_of
from pageturner.page_state import Run
from pageturner.prices import Volume
from pageturner.publish.announcing import Announcer
from pageturner.publish.columns import Column
from pageturner.publish.making import Maker, table_file_key
from pageturner.publish.metering import OF_PARTS, Meter
from pageturner.publish.parts import Part, make, parts_of
from pageturner.publish.plan import Plan, give_up, prefix_of
from pageturner.publish.plan_making import PlanMaker
from pageturner.publish.tables import Tables
from pageturner.publish.telling import Teller, is_told, lanes_of
from pageturner.stores import Stores
from pageturner.stores.publications import Publication, State
from pageturner.stores.runs_and_locks import RunRecord
from pageturner.table_names import TABLE_OF_ALL

# Lambda ends a function after 15 minutes. What is begun at the end may take some more.
_SECONDS = 600


@dataclass(frozen=True)
class Publisher:
    """Publishes runs. `most_rows` is how many rows one function publishes at once; `meter` counts what that costs."""

    stores: Stores
    tables: Tables
    announcer: Announcer
    most_rows: int
    meter: Meter = field(default_factory=Meter)

    def publish(self, run_id: str, generation: int, asked_by: str, now: str) -> dict[str, Any]:
        """Publish a generation of a run, or do the next step of that.

        `asked_by` is the execution of a person who asks for it by itself. Returns `next`: "parts" (those that are
        listed in an object are to be done, and then the next step), "again", or "end" with the run's `summary`. Raises
        `SinkError`, `CannotPublishError`, and `RunStoppedError` if the run was resumed and goes on.
        """
        while True:
            found = self._record(run_id, generation)
            state = self.stores.publications.state(found.crawl["name"])
            is_pending = state.pending is not None and state.pending.run_id == run_id
            if self._is_published(found, asked_by) and not is_pending:
                return {"next": "end", "summary": self._ended(found, asked_by)}
            if state.pending is None:
                maker = PlanMaker(self.stores, self.most_rows)
                plan = maker.make(found, state, asked_by, now)
                if isinstance(plan, Plan):
                    self.stores.publications.begin(plan.publication)
                else:
                    published = self.announcer.announce(found, None, None, plan, self.meter.take_last())
                    self.stores.runs.record_published(run_id, generation, published)
                continue
            try:
                step = self._step(state.pending, state)
            except RunStoppedError:
                # Others have finished it, and are at the next one.
                if self.stores.publications.state(state.pending.crawl).pending == state.pending:
                    raise
                continue
            except CannotPublishError:
                # It would stand in the way of all others. DynamoDB is reconciled by the next one.
                if not state.is_committed:
                    give_up(self.stores, state.pending)
                self.stores.publications.finish(state.pending)
                if (state.pending.run_id, state.pending.generation) == (run_id, generation):
                    raise
                continue
            if step is not None:
                of_map = Volume(transitions=OF_PARTS if step["next"] == "parts" else 0)
                self.stores.publications.add_spent(state.pending, asdict(self.meter.take() + of_map))
                return step

    def do(self, part: Part) -> bool:
        """Do a part. Returns whether all of it is done. Raises as `publish` does."""
        maker = Maker.of(self.stores, part.plan)
        is_done = self._do(part, maker)
        self.stores.publications.add_spent(maker.plan.publication, asdict(self.meter.take()))
        return is_done

    def _do(self, part: Part, maker: Maker) -> bool:
        if part.what == "scatter":
            maker.scatter(part.index)
        elif part.what == "merge":
            maker.merge(part.index)
        else:
            publication = maker.plan.publication
            state = self.stores.publications.state(publication.crawl)
            if state.pending != publication:
                return True  # it is done already, or was given up
            lanes = lanes_of(part.index, publication.buckets)
            try:
                return Teller.of(self.stores, maker, state).tell(part.index, _SECONDS, lanes)
            except RunStoppedError:
                if self.stores.publications.state(publication.crawl).pending == publication:
                    raise
        return True

    def _record(self, run_id: str, generation: int) -> RunRecord:
        found = self.stores.runs.find(run_id)
        if found is None:
            raise SinkError(f"the runs table has no record of run {run_id}")
        is_resumed = found.generation != generation
        if found.summary is None or (is_resumed and not found.is_published):
            raise RunStoppedError(f"{run_id} was resumed in another execution, which publishes it")
        return found

    def _is_published(self, found: RunRecord, asked_by: str) -> bool:
        return found.is_published and (not asked_by or (found.published or {}).get("asked_by") == asked_by)

    def _ended(self, found: RunRecord, asked_by: str) -> dict[str, Any]:
        """Return the summary of a run that is published, and let the next run of its crawl begin."""
        summary, published = dict(found.summary or {}), dict(found.published or {})
        self.stores.runs.unlock(Crawl.from_dict(found.crawl).lock_name, Run.from_dict(found.run))
        if asked_by:
            summary["outcome"] = "succeeded"
        return output_of(summary, published)

    def _step(self, publication: Publication, state: State) -> dict[str, Any] | None:
        """Do the next step of the pending publication. Returns None if it is finished."""
        maker = Maker.of(self.stores, prefix_of(publication))
        plan = maker.plan
        if not state.is_committed:
            if parts := make(maker):
                return parts
            self.stores.publications.put_published(publication, plan.published)
            # If somebody else has, it is the same.
            self.stores.publications.commit(publication)
            return None
        self.tables.move(publication, [Column(*each) for each in plan.published.columns])
        if plan.crawl.operations:
            self.tables.move_others(publication, plan.published.tables)
        if not is_told(plan, state.told):
            teller = Teller.of(self.stores, maker, state)
            teller.begin()
            if publication.buckets > 1:
                if not_told := maker.not_told():
                    return parts_of(maker, "tell", not_told)
            elif not teller.tell(0, _SECONDS, lanes_of(0, 1)):
                return {"next": "again"}
            teller.end()
        self._end(plan, maker)
        return None

    def _end(self, plan: Plan, maker: Maker) -> None:
        """Announce a publication of which DynamoDB has been told, and end it."""
        publication = plan.publication
        found = self.stores.runs.find(publication.run_id)
        # An expired record needs none.
        if found is not None and (found.published or {}).get("number") != publication.number:
            spent = self.stores.publications.spent(publication)
            volume = Volume(**spent) + self.meter.take_last()
            published = self.announcer.announce(found, plan, maker.made(), plan.kept, volume)
            self.stores.runs.record_published(publication.run_id, publication.generation, published)
        if plan.base is not None:
            others = [*self.stores.publications.published(plan.base).tables]
            for table in ("", *others, *([TABLE_OF_ALL] if plan.crawl.operations else [])):
                for bucket in range(plan.base.buckets):
                    self.stores.pages.mark_superseded(table_file_key(plan.base, bucket, table))
        self.stores.publications.finish(publication)
        if plan.base is not None:
            self.stores.publications.forget(plan.base)
