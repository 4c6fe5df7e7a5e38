"""A schedule: what happens to a deployment, decided by a seed alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pageturner.finish.progress import LIMITS, Limits
from tests.machines.audit import Auditor
from tests.machines.service import Bucket
from tests.machines.world import Definitions, Faults, Process, Violation, World, installed

_LETTERS = "abcdefghijkl"
# Executions after which nobody tries again, until there are no more faults.
_MOST_TRIES = 25


@dataclass
class Schedule:
    """One schedule. `play` raises `Violation`, with the seed and the story."""

    limits: ClassVar[Limits] = LIMITS
    seed: int
    definitions: Definitions
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        # About late writers of one kind, which meet a run that goes on soon: there are otherwise few.
        self.is_about_one = self.rng.random() < 0.35
        # What starts runs names the occasion, and delivers it twice.
        self.is_triggered = self.seed % 6 == 4
        self.crawl = self._crawl()
        self.world = World(self.definitions, self.rng, {"c": self.crawl})
        self.auditor = Auditor(self.world)

    def play(self) -> None:
        loop_seconds = self._loop_seconds()
        # With few, a publication has parts.
        most_rows = self.rng.choice((1000, 1000, 3))
        with installed(self.world, loop_seconds, most_rows, self.limits):
            try:
                self._fill_buckets()
                self._with_faults()
                self.world.run()
                self.auditor.at_rest()
                self._heal()
                self._a_last_run()
            except Violation as violation:
                raise Violation(f"seed {self.seed}: {violation}\n{self.story()}") from violation

    def story(self) -> str:
        began = self.world.story[0][0] if self.world.story else 0
        lines = (f"{at - began:9.2f} {who.rpartition(':')[2]:>22} {what}" for at, who, what in self.world.story)
        return "\n".join([f"{self.crawl}", *lines])

    # What there is.

    def _loop_seconds(self) -> float:
        return self.rng.choice((0, 1, 225))

    def _crawl(self) -> dict[str, Any]:
        rng = self.rng
        buckets = [{"Bucket": f"b{number}"} for number in range(1, rng.choice((2, 2, 3, 4)))]
        crawl: dict[str, Any] = {
            "service": "s3",
            "operation": "list_objects_v2",
            "key": "Key",
            "pagination_config": {"PageSize": rng.choice((2, 3, 4))},
            "deadline_hours": 0.5,
            "allow_empty": rng.random() < 0.8,
            "for_each": {"list": buckets},
        }
        if rng.random() < 0.6:
            # Then several targets are in a batch.
            crawl["max_concurrency"] = rng.choice((1, 2))
        if rng.random() < 0.3:
            crawl["split"] = rng.choice((2, 3))
        elif rng.random() < 0.6:
            # Keys and common prefixes are in no common order: a rejected token begins a pass.
            crawl["parameters"] = {"Delimiter": "|"}
        if rng.random() < 0.4:
            crawl["overlap"] = "allow"
        if rng.random() < 0.4:
            crawl["stale_items"] = rng.choice(("mark", "keep"))
        if self.seed % 5 == 0:
            crawl |= {"max_pages_per_second": 1, "pace": ("run", "deployment")[self.seed // 5 % 2]}
        return crawl

    def _fill_buckets(self) -> None:
        for each in self.crawl["for_each"]["list"]:
            bucket = self.world.service.buckets[each["Bucket"]] = Bucket()
            for key in self.rng.sample(_LETTERS, self.rng.randint(1, 9 if "split" not in self.crawl else 5)):
                bucket.put(key, 0)
        if self.rng.random() < (0.6 if self.is_about_one else 0.2):
            self.rng.choice(list(self.world.service.buckets.values())).denied = True

    # What happens.

    def _with_faults(self) -> None:
        rng, world = self.rng, self.world
        world.latency = rng.choice((0.02, 0.5, 2.0))
        likelihood: dict[str, float] = {}
        functions = ("plan_run", "plan_long_targets", "finish_run", "publish_run", "publish_part", "fetch_page")
        if self.is_about_one:
            likelihood[rng.choice(functions)] = 0.12
        for where in () if self.is_about_one else (*functions, "fail_run", "report_run", "stop_run"):
            if rng.random() < 0.4:
                likelihood[where] = rng.choice((0.02, 0.06, 0.2))
            if rng.random() < 0.15:
                likelihood[f"twice {where}"] = 0.3
        for where in ("ShortTargets", "PageLoop", "StartExecution", "put_item", "query"):
            if rng.random() < 0.3:
                likelihood[where] = 0.3
        world.faults = Faults(rng, rng.choice((0, 1, 2, 3, 5)), likelihood, late_events=rng.random() < 0.5)
        world.faults.old_answers = self.seed % 4 < 2
        if self.is_about_one:
            world.faults = Faults(rng, rng.choice((1, 2)), likelihood, ("given up",), pauses=(70, 150, 400))
        self.auditor.then = self._after_an_execution
        world.faults.on_give_up = lambda: world.after(rng.random() * 5, self._change_a_key)
        self._start()
        at = 0.0
        for _ in range(rng.randint(0, 7)):
            at += rng.choice((1, 5, 30, 200, 1000)) * rng.random()
            world.after(at, rng.choice(self._operations()))

    def _after_an_execution(self, process: Process) -> None:
        """A person, or a schedule, goes on some time after an execution that did not succeed."""
        if process.status == "SUCCEEDED" or self.rng.random() < (0.1 if self.is_about_one else 0.3):
            return
        if len(self.world.executions) > _MOST_TRIES:
            return
        seconds = self.rng.choice((5,) if self.is_about_one else (5, 60, 400)) * self.rng.random()
        self.world.after(seconds, self.rng.choice((self._resume, self._resume, self._redrive, self._start)))
        self.world.after(seconds * self.rng.random(), self._allow)

    def _operations(self) -> list[Callable[[], None]]:
        change = [self._change_a_key] * 4
        return [
            *change,
            self._flicker,
            self._flicker,
            self._expire,
            self._expire_all,
            self._refuse_pages,
            self._throttle,
            self._start,
            self._start,
            self._stop,
            self._stop,
            self._resume,
            self._redrive,
            self._publish,
        ]

    def _change_a_key(self) -> None:
        world, rng = self.world, self.rng
        bucket = rng.choice(list(world.service.buckets.values()))
        for key in rng.sample(_LETTERS, 2):
            if key in bucket.keys:
                bucket.delete(key, world.clock.now)
            else:
                bucket.put(key, world.clock.now)
        if bucket.keys and rng.random() < 0.5:
            bucket.put(rng.choice(bucket.keys), world.clock.now)

    def _flicker(self) -> None:
        """A key goes, and comes again."""
        bucket = self.rng.choice(list(self.world.service.buckets.values()))
        if bucket.keys:
            key = self.rng.choice(bucket.keys)
            bucket.delete(key, self.world.clock.now)
            seconds = self.rng.choice((10, 100, 600)) * self.rng.random()
            self.world.after(seconds, lambda: bucket.put(key, self.world.clock.now))

    def _expire(self) -> None:
        self.world.say("tokens", "expire")
        self.world.service.tokens_from = self.world.clock.now

    def _expire_all(self) -> None:
        self.world.say("tokens", "do not last")
        self.world.service.tokens_from = self.world.clock.now + self.rng.choice((60, 600, 3600))

    def _refuse_pages(self) -> None:
        self.world.say("s3", "refuses pages")
        self.world.pages_refused_until = self.world.clock.now + self.rng.choice((20, 600, 10_000))

    def _throttle(self) -> None:
        self.world.say("service", "throttles")
        self.world.service.throttled_until = self.world.clock.now + self.rng.choice((5, 60, 600, 10_000))

    def _allow(self) -> None:
        for bucket in self.world.service.buckets.values():
            bucket.denied = False

    def _start(self) -> None:
        asked = {"crawl": "c"}
        if self.is_triggered:
            asked["trigger"] = f"occasion {len(self.world.executions)}"
            again = self.rng.choice((0.01, 5, 200, 2000)) * self.rng.random()
            self.world.after(again, lambda: self._deliver(asked))
        self._deliver(asked)

    def _deliver(self, asked: dict[str, Any]) -> None:
        self.world.start(asked)

    def _stop(self) -> None:
        if running := self._executions("RUNNING"):
            self.world.stop(self.rng.choice(running))

    def _resume(self) -> None:
        runs = [run_id for run_id in self._runs() if run_id not in self.auditor.green]
        if runs:
            self.world.start({"resume": self.rng.choice(runs)})

    def _publish(self) -> None:
        """A person asks for the publication of a run."""
        if runs := self._runs():
            self.world.start({"publish": self.rng.choice(runs)})

    def _redrive(self) -> None:
        if ended := self._executions("FAILED", "ABORTED"):
            self.rng.choice(ended).redrive()

    def _executions(self, *statuses: str) -> list[Process]:
        return [each for each in self.world.executions.values() if each.status in statuses]

    def _runs(self) -> list[str]:
        return [str(run["run_id"]) for run in self.auditor._runs()]

    # What must be possible afterwards.

    def _heal(self) -> None:
        """Without faults, every run that is not green becomes so by resumptions or redrives, oldest first."""
        world = self.world
        world.faults.budget, world.faults.old_answers = 0, False
        world.service.throttled_until = world.pages_refused_until = 0
        world.service.tokens_from = min(world.service.tokens_from, world.clock.now)
        self._allow()
        self.auditor.then = lambda _: None
        world.say("world", "no more faults")
        if not world.lost_events:
            self.auditor.nobody_is_silent()
        for run_id in self._runs():
            for _ in range(3):
                if run_id in self.auditor.green:
                    break
                process = world.start({"resume": run_id})
                world.run()
                if process.status == "SUCCEEDED" and process.output["outcome"] == "refused":
                    said = process.output["message"]
                    raise Violation(f"{run_id} cannot be resumed, though nothing is running: {said}")
            if run_id not in self.auditor.green:
                raise Violation(f"{run_id} does not become green")
        self.auditor.at_rest()

    def _a_last_run(self) -> None:
        """Then a new run is green, and DynamoDB is what there is."""
        process = self.world.start({"crawl": "c"})
        self.world.run()
        if process.status != "SUCCEEDED":
            raise Violation(f"the last run is {process.status}: {process.failure}")
        self.auditor.at_rest()
