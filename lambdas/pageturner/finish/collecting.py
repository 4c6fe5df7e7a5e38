"""Collects what a run came to, in steps: its files, and its targets with their verdicts.

Memory holds one listing at a time, and a few counts of it, however many pages and targets there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.finish.progress import Limits, Progress, Workshop
from pageturner.finish.timeline import Timeline
from pageturner.finish.trust import Trust
from pageturner.finish.witness import Witnessed
from pageturner.page_state import Run, Target
from pageturner.stores import Stores
from pageturner.stores.checkpoints import PageRecord
from pageturner.stores.keys import manifest_prefix
from pageturner.stores.sorted_targets import Sorted, sorted_listings
from pageturner.stores.witness_records import Comparison, OfListing
from pageturner.verdicts import Ends, PageCounts, entries, target_of


@dataclass(frozen=True)
class Collector:
    """Collects the parts of the manifest of a run's generation. Everything raises `SinkError`."""

    stores: Stores
    run: Run
    crawl: Crawl
    limits: Limits
    workshop: Workshop

    def steps(self, progress: Progress) -> Iterator[Progress]:
        """Do all steps after `progress`, and yield what each has come to."""
        for phase in (self._read, self._judge, self._put_verdicts):
            for progress in phase(progress):  # noqa: B020 - each goes on where the last one is
                yield progress

    def _read(self, progress: Progress) -> Iterator[Progress]:
        """Read all page records, which are in the order of target, pass and page."""
        records = self.stores.checkpoints.pages(self.run, progress.read_to or "")
        while progress.read_to is not None:
            progress = self._read_some(progress, islice(records, self.limits.records))
            yield progress

    def _read_some(self, progress: Progress, records: Iterator[PageRecord]) -> Progress:
        files, ended = self.workshop.writer(), self.workshop.writer()
        target_id, pages = "", PageCounts()
        if progress.begun is not None:
            target_id, pages = progress.begun[0], PageCounts.from_dict(progress.begun[1])
        timeline = Timeline.from_dict(progress.timeline) if progress.timeline else Timeline(self.run.started_at)
        read, last_ended, last_name = 0, "", ""
        for record in records:
            if record.target_id != target_id:
                if target_id:
                    ended.add({"target_id": target_id, **pages.counts()})
                    last_ended = target_id
                target_id, pages = record.target_id, PageCounts()
            pages.add(record)
            if record.page > 0:
                timeline.add(record)
                files.add(
                    {
                        "key": record.key,
                        "items": record.items,
                        "bytes": record.bytes,
                        "target_id": target_id,
                        "pass": record.pass_number,
                    }
                )
            read, last_name = read + 1, record.name
        is_all = read < self.limits.records
        if is_all and target_id:
            ended.add({"target_id": target_id, **pages.counts()})
            last_ended = target_id
        number = len(progress.pages) + 1
        return replace(
            progress,
            read_to=None if is_all else last_name,
            begun=None if is_all else (target_id, pages.as_dict()),
            pages=(*progress.pages, self.workshop.keep(files, f"pages-{number:05d}", target_id)),
            counts=(*progress.counts, self.workshop.keep(ended, f"counts-{number:05d}", last_ended)),
            timeline=timeline.as_dict(),
        )

    def _judge(self, progress: Progress) -> Iterator[Progress]:
        """Give each target its verdict, and record how the complete listings compare, for whoever resumes the run."""
        if progress.judged_to is None:
            return
        judge = _Judge.of(self, progress)
        listings = sorted_listings(self.stores.pages, self.run, progress.judged_to)
        while progress.judged_to is not None:
            progress = self._judge_some(progress, judge, listings)
            yield progress

    def _judge_some(self, progress: Progress, judge: _Judge, listings: Iterator[list[Target]]) -> Progress:
        found, last = self.workshop.writer(), ""
        compared: dict[OfListing, Comparison] = {}
        for listing in listings:
            for entry in judge.entries(listing, compared):
                found.add(entry)
            last = listing[-1].target_id
            if found.count >= self.limits.targets:
                break
        self.stores.witnesses.compare(self.run, compared)
        name = f"targets-{len(progress.targets) + 1:05d}"
        part = self.workshop.keep(found, name, last, manifest_prefix(self.run))
        is_all = part.lines < self.limits.targets
        return replace(progress, judged_to=None if is_all else last, targets=(*progress.targets, part))

    def _put_verdicts(self, progress: Progress) -> Iterator[Progress]:
        """Put the verdicts of the targets to their files: who reads nothing else sees which are no whole listing."""
        while len(progress.files) < len(progress.pages):
            number = len(progress.files)
            before = progress.pages[number - 1].last if number else ""
            part = progress.pages[number]
            judged = Sorted(
                (entry["target_id"], entry)
                for targets in progress.targets
                if targets.last >= before
                for entry in self.workshop.read(targets)
            )
            files = self.workshop.writer()
            for file in self.workshop.read(part):
                (entry,) = judged.of(file["target_id"])
                if is_of_last_pass(file.pop("pass"), entry):
                    files.add({**file, "verdict": entry["verdict"]})
            kept = self.workshop.keep(files, f"files-{number + 1:05d}", part.last, manifest_prefix(self.run))
            progress = replace(progress, files=(*progress.files, kept))
            yield progress


def is_of_last_pass(pass_number: int, entry: Mapping[str, Any]) -> bool:
    """Whether a file of this pass is one of the target's listing."""
    return bool(pass_number == entry["restarts"] + 1)


@dataclass(frozen=True)
class _Judge:
    """Judges listings, in the order of their ids, by all that is on record about them."""

    trust: Trust
    stores: Stores
    counts: Sorted[dict[str, Any]]
    verdicts: Sorted[dict[str, str]]
    throttles: Sorted[Any]
    testimonies: Sorted[Any]
    comparisons: Sorted[Any]

    @classmethod
    def of(cls, collector: Collector, progress: Progress) -> _Judge:
        """Return who judges the listings behind those that are judged."""
        stores, run, after = collector.stores, collector.run, progress.judged_to or ""
        published = stores.publications.published(stores.publications.state(collector.crawl.name).current)
        counts = (
            (found.pop("target_id"), found)
            for part in progress.counts
            if part.last > after
            for found in collector.workshop.read(part)
        )
        return cls(
            Trust(published, run, collector.crawl),
            stores,
            Sorted(counts),
            Sorted(stores.targets.verdicts(run, after)),
            Sorted(stores.targets.throttles(run, after)),
            Sorted(stores.witnesses.testimonies(run, after)),
            Sorted(stores.witnesses.comparisons(run, after)),
        )

    def entries(self, listing: list[Target], compared: dict[OfListing, Comparison]) -> Iterator[dict[str, Any]]:
        """Yield the manifest's entries of a listing's targets; what its comparison is, if it is new, is `compared`."""
        ids, of = [target.target_id for target in listing], listing[0].listing_id
        counted = {each: found for each in ids for found in self.counts.of(each)}
        testimonies = {(each, number): said for each in ids for number, said in self.testimonies.of(each)}
        recorded = {(of, number): found for number, found in self.comparisons.of(of)}
        judged = self.trust.judge(listing[0], counted, testimonies, recorded)
        compared.update({name: comparison for name, comparison in judged.items() if recorded.get(name) != comparison})
        witnessed = Witnessed(self.trust.crawl, self.trust.run, testimonies, judged)
        ends = Ends(
            counted,
            {each: found for each in ids for found in self.verdicts.of(each)},
            witnessed.mistrusted(),
            {each: found for each in ids for found in self.throttles.of(each)},
        )
        for entry in entries(listing, ends):
            entry["witness"] = witnessed.of(target_of(entry), ends)
            if "resume_token" in entry:
                # What a person can copy must be the token itself.
                entry["resume_token"] = self.stores.pages.token(entry["resume_token"])
            yield entry
