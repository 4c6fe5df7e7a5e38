"""What must be true, whatever has happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.crawls.crawl import Crawl
from tests.machines.published import PublishedAuditor
from tests.machines.states import Failed
from tests.machines.world import Process, Violation, World

# What an execution may fail with (docs/reliability.md).
_FAILURES = ("RunIncomplete", "InvalidCrawlError", "OverlapError", "RunStoppedError")
# After its deadline, a run may go on for so long: a last page, the longest BackOff, and the retries of its tasks.
SLACK_SECONDS = 3600
MAPS = ("ShortTargets", "LongTargets")
PUBLISHING = ("PublishRun", "PublishParts")
MOST_IN_A_CHAIN = 20


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Auditor:
    """Watches a world, and raises `Violation`."""

    world: World
    green: dict[str, dict[str, Any]] = field(default_factory=dict)  # summaries, by run
    planned: dict[str, set[str]] = field(default_factory=dict)  # all targets that a run was to page, by run
    runs: dict[str, str] = field(default_factory=dict)  # of executions
    interrupted: set[str] = field(default_factory=set)  # runs of which an execution was stopped, or has failed
    then: Callable[[Process], None] = lambda _: None

    deadlines: dict[str, float] = field(default_factory=dict)  # of executions
    chains: dict[str, int] = field(
        default_factory=dict
    )  # the executions that a run has continued in, one after another

    def __post_init__(self) -> None:
        self.published = PublishedAuditor(self.world)
        self.world.on_request = self.after_a_request
        self.world.on_page_loop = self.at_a_page_loop
        self.world.on_verdict = self.at_a_verdict
        self.world.on_start = self.at_a_start
        self.world.on_end = self.after_an_execution
        self.world.on_map = self.at_a_map

    def at_a_start(self, process: Process, after: Process | None) -> None:
        """A run that continues by itself keeps its deadline, and does not continue for ever."""
        hours = self.world.catalogue["c"].deadline_hours
        if after is None:
            self.deadlines[process.arn] = self.world.clock.now + hours * 3600
        else:
            # One that was redriven had resumed its run.
            redriven = after.driven_since + hours * 3600 if after.redrives else 0
            self.deadlines[process.arn] = max(self.deadlines[after.arn], redriven)
        self.chains[process.arn] = 1 if after is None else self.chains[after.arn] + 1
        _is(self.chains[process.arn] <= MOST_IN_A_CHAIN, f"a run continues in {MOST_IN_A_CHAIN} executions")

    def at_a_map(self, process: Process, items: Sequence[Any]) -> None:
        """A run that was green is never paged again, and a failed one only by a resumption or a redrive."""
        if process.state not in MAPS:
            return
        run_id = process.machine.input["run"]["run_id"]
        self.runs[process.arn] = run_id
        trigger = process.input.get("trigger")
        same = [arn for arn in self.runs if trigger and self.world.executions[arn].input.get("trigger") == trigger]
        _is(len(same) <= 1, f"{trigger} runs in {same}")
        _is(run_id not in self.green, f"{run_id} is green, and {process.arn} pages it")
        for arn, other in self.runs.items():
            # One that was stopped and is redriven turns no page while another run has the lock.
            running = self.world.executions[arn]
            both = running.status == "RUNNING" and running.state in MAPS
            both = both and not process.redrives and not running.redrives
            overlap = both and other != run_id and self.world.catalogue["c"].overlap == "refuse"
            _is(not overlap, f"{run_id} begins while {other} is running in {arn}")
        targets = [target for item in items for target in item.get("targets", [item])]
        self.planned.setdefault(run_id, set()).update(target["target_id"] for target in targets)
        plans = process.machine.entered.count("PlanRun")
        _is(plans <= 1 + process.redrives, f"{process.arn} failed, and resumed {run_id} by itself")

    def at_a_page_loop(self, state: Mapping[str, Any]) -> None:
        """What has ended is not gone on with, nor does an execution go on until its history is full."""
        following = state["place"].get("next")
        _is(following != "end", f"{state['target']['target_id']} has ended, and goes on")
        is_full = state["hand_overs"] >= self.world.definitions.hand_overs and following != "begin_pass"
        _is(not is_full, f"{state['target']['target_id']} has been handed over {state['hand_overs']} times")

    def at_a_verdict(self, process: Process, before: Any) -> None:
        """A child of ShortTargets, which may be a late copy, changes no verdict."""
        is_short = process.machine.definition["StartAt"] == "EachOfBatch"
        _is(not is_short or before is None, f"a target of {process.arn} has another verdict already: {before}")

    def after_a_request(self, service: str, operation: str, arguments: Mapping[str, Any]) -> None:
        self.published.after_a_request(service, operation, arguments)
        if operation == "put_object" and "/long-targets" in arguments["Key"]:
            self._check_long_targets(arguments["Key"])

    def _check_long_targets(self, key: str) -> None:
        """No target is left out that has neither ended nor a verdict."""
        run_id = key.split("/")[1]
        of_run = [arn for arn, of in self.runs.items() if of == run_id]
        waiting = [self.world.executions[arn] for arn in of_run]
        # Who is late may come after a resumption, which begins anew what had ended.
        for process in waiting:
            if process.status != "RUNNING" or process.state != "PlanLongTargets":
                continue
            planned = process.machine.input["targets"]["key"]
            if planned.replace("/targets", "/long-targets") != key:
                continue
            rows = self.world.dynamodb.tables["runs"]
            generation = process.machine.input["run"]["generation"]
            left = {each["target_id"] for each in self.json(key)}
            for target_id in {each["target_id"] for each in self.json(planned)} - left:
                pages = [sk for pk, sk in rows if pk == f"run#{run_id}" and sk.startswith(f"page#{target_id}#")]
                has_ended = bool(pages) and json.loads(rows[f"run#{run_id}", max(pages)]["place"]["S"])["next"] == "end"
                has_verdict = (f"run#{run_id}", f"verdict#{generation}#{target_id}") in rows
                _is(has_ended or has_verdict, f"{target_id} of {run_id} is not gone on with")

    def after_an_execution(self, process: Process) -> None:
        """An execution succeeds, or it fails in one of the ways that are documented, and soon after its deadline."""
        if process.redrives:
            hours = self.world.catalogue["c"].deadline_hours
            self.deadlines[process.arn] = max(self.deadlines[process.arn], process.driven_since + hours * 3600)
        if process.status != "SUCCEEDED" and process.arn in self.runs:
            self.interrupted.add(self.runs[process.arn])
        late = self.world.clock.now - self.deadlines[process.arn]
        _is(late <= SLACK_SECONDS, f"{process.arn} ended {late:.0f} s after the deadline")
        if process.status == "SUCCEEDED":
            summary = process.output
            if summary["outcome"] not in ("continues", "refused", "duplicate"):
                self.published.check_published(summary)
            # A run that a person has published may lack listings.
            if summary["outcome"] == "succeeded" and "publish" not in process.input:
                self.check_run(summary)
                self.green.setdefault(summary["run_id"], summary)
            self.published.check()
        elif process.status == "FAILED":
            assert isinstance(process.failure, Failed)
            # PlanRun asks the service too, and retries for two minutes.
            throttled = process.state == "PlanRun" and self.world.service.throttled_until > process.driven_since
            _is(
                process.failure.error in _FAILURES or throttled or self._may_fail_to_publish(process),
                f"{process.arn} failed in {process.state} with {process.failure}",
            )
            if process.state in PUBLISHING and process.failure.error == "RunStoppedError":
                self._check_stopped(process)
        self.then(process)

    def _may_fail_to_publish(self, process: Process) -> bool:
        """S3 may refuse pages for longer than PublishRun is retried."""
        return process.state in PUBLISHING and self.world.pages_refused_until > process.driven_since

    def _check_stopped(self, process: Process) -> None:
        """Only a run that was resumed meanwhile is not published by its execution."""
        given = process.machine.input
        record = self.world.dynamodb.tables["runs"][f"run#{given['run_id']}", "run"]
        generation = json.loads(record["run"]["S"])["generation"]
        why = f"{process.arn} does not publish {given['run_id']}, which nobody has resumed: {process.failure}"
        _is(generation > given["generation"], why)

    def check_run(self, summary: Mapping[str, Any]) -> None:
        """The manifest of a green run has what its summary says, and what was there."""
        run_id = summary["run_id"]
        manifest = self.world.whole_manifest(self.json(f"runs/{run_id}/manifest.json"))
        for name in ("verdict", "outcome", "items", "pages"):
            said = f"the manifest of {run_id} says {name} {manifest[name]}, its summary {summary[name]}"
            _is(manifest[name] == summary[name], said)
        verdicts = {target["target_id"]: target["verdict"] for target in manifest["targets"]}
        missing = self.planned.get(run_id, set()) - set(verdicts)
        _is(not missing, f"{run_id} is green without its targets {sorted(missing)}")
        crawl = Crawl.from_dict(manifest["crawl"])
        listed = self.listings(manifest)
        wanted = buckets_of(crawl)
        _is(set(listed) == wanted, f"{run_id} is green with {sorted(listed)} of {sorted(wanted)}")
        _is(set(verdicts.values()) <= {"complete", *crawl.tolerate}, f"{run_id} is green with {verdicts}")
        begin, end = seconds(manifest["started_at"]), seconds(manifest["ended_at"])
        for bucket, (is_complete, keys) in listed.items():
            there = self.world.service.buckets[bucket]
            twice = [key for key, times in Counter(keys).items() if times > 1]
            _is(not twice, f"{run_id} lists {twice} of {bucket} twice")
            _is(set(keys) <= there.ever(begin, end), f"{run_id} lists of {bucket} what was not there: {keys}")
            lost = there.throughout(begin, end) - set(keys) if is_complete else set()
            _is(not lost, f"{run_id} is complete without {sorted(lost)} of {bucket}")
        _is(manifest["items"] == sum(len(keys) for _, keys in listed.values()), f"{run_id} counts {manifest['items']}")

    def listings(self, manifest: Mapping[str, Any]) -> dict[str, tuple[bool, list[str]]]:
        """By bucket: whether all parts of its listing are there and complete, and the keys in the files."""
        parts: dict[str, list[Any]] = {}
        for target in manifest["targets"]:
            parts.setdefault(target["parameters"]["Bucket"], []).append(target)
        found: dict[str, tuple[bool, list[str]]] = {}
        for bucket, targets in parts.items():
            part = targets[0].get("part")
            _is(len(targets) == (part["count"] if part else 1), f"{bucket} has {len(targets)} targets: {part}")
            keys: list[str] = []
            for target in targets:
                own = [file for file in manifest["files"] if file["target_id"] == target["target_id"]]
                names = [file["key"] for file in own]
                _is(len(set(names)) == len(names) == target["pages"], f"{target['target_id']} has the files {names}")
                for file in own:
                    lines = self.world.lines(file["key"])
                    _is(len(lines) == file["items"], f"{file['key']} has {len(lines)} lines, not {file['items']}")
                    keys += [line["key"] for line in lines]
            found[bucket] = all(target["verdict"] == "complete" for target in targets), keys
        return found

    def at_rest(self) -> None:
        """What must be true when nothing goes on."""
        for summary in self.green.values():
            self.check_run(summary)
        for (pk, sk), row in self.world.dynamodb.tables.get("runs", {}).items():
            if sk != "run":
                continue
            outcome = json.loads(row["summary"]["S"])["outcome"] if "summary" in row else None
            run_id = pk.removeprefix("run#")
            # One that was interrupted may have lost its lock to another run, which refuses it.
            is_left = outcome == "continues" and run_id not in self.interrupted
            _is(not is_left, f"{run_id} continues in no execution")
            _is(outcome == "succeeded" or run_id not in self.green, f"{run_id} was green, and its summary is {outcome}")
        self.published.check()
        self._check_history()

    def _check_history(self) -> None:
        """The history has each run as its record has it, and nobody is silent about one that is not complete."""
        rows = self.world.dynamodb.tables.get("runs", {})
        history = self._history()
        told = " ".join(each["message"] for each in self.world.sns.sent)
        for run_id in (run["run_id"] for run in self._runs()):
            record, row = rows[f"run#{run_id}", "run"], history[run_id]
            _is(row["generation"] == record["generation"], f"the history has another generation of {run_id}")
            if "summary" in record and (row["outcome"]["S"] != "stopped" or "reported_at" in row):
                outcome = json.loads(record["summary"]["S"])["outcome"]
                _is(row["outcome"]["S"] == outcome, f"{run_id} is {outcome}, and its history says {row['outcome']}")
            is_told = "reported_at" in row or "told_after" in row
            silent = is_told and row["outcome"]["S"] != "succeeded" and run_id not in told
            _is(not silent, f"{run_id} is not complete, and nobody was told")
        # Its execution may have been stopped while it was published, which the next one has then done.
        if complete := rows.get(("status", "c"), {}).get("complete_run_id", {}).get("S"):
            summary = json.loads(rows[f"run#{complete}", "run"].get("summary", {"S": "{}"})["S"])
            is_complete = summary.get("outcome") == "succeeded"
            _is(is_complete, f"{complete} is not complete, and counts as the last that is")

    def nobody_is_silent(self) -> None:
        """When nothing goes on, the history knows how each run has ended, and people have heard of it."""
        for row in self._history().values():
            # PlanRun was delivered again when its execution had been refused. Whoever takes its lock says so.
            if self.world.executions[row["execution"]["S"]].state == "RunRefused":
                continue
            is_told = "outcome" in row and ("reported_at" in row or "told_after" in row)
            _is(is_told, f"nobody was told how {row['run_id']['S']} has ended")

    def _history(self) -> dict[str, Any]:
        rows = self.world.dynamodb.tables.get("runs", {})
        return {row["run_id"]["S"]: row for (pk, _), row in rows.items() if pk.startswith("history#")}

    def _runs(self) -> list[dict[str, Any]]:
        rows = self.world.dynamodb.tables.get("runs", {})
        return [json.loads(row["run"]["S"]) for (_, sk), row in rows.items() if sk == "run"]

    def json(self, key: str) -> Any:
        _is(key in self.world.s3.objects, f"there is no {key}")
        return json.loads(self.world.s3.objects[key].body)


def buckets_of(crawl: Crawl) -> set[str]:
    """The buckets that a crawl lists."""
    if crawl.for_each is None:
        return {crawl.parameters["Bucket"]}
    return {each["Bucket"] for each in crawl.for_each["list"]}


def _is(true: bool, otherwise: str) -> None:
    if not true:
        raise Violation(otherwise)
