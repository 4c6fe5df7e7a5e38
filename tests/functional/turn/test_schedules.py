"""The page step under a thousand schedules of faults: no item is lost, duplicated or invented.

A schedule has up to three invocations of a target that interleave at every request, requests that fail before or after
they take effect, killed functions, expired tokens, and a listing that changes during the crawl. Where the order of the
listing is known, it goes on behind the last key when a token has expired; elsewhere, a new pass begins.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from pageturner.crawls.crawl import Crawl
from pageturner.errors import PageturnerError
from pageturner.page_state import PageState, Place, Run, Target
from pageturner.stores.checkpoints import last_passes
from pageturner.turn.pace import Pace
from pageturner.turn.page_step import PageStep, Turned
from pageturner.verdicts import Ends, counted, entries
from tests.fakes import FakeDynamoDB, FakeS3, client_error, stores_in

PAGE = 2
RUN = Run("run", "2026-01-01", "2026-01-01T00:00:00.000Z", "9999-01-01T00:00:00.000Z", 0)
CRAWL = Crawl("c", "s3", "list_objects_v2", {"Bucket": "b"}, key="Key", allow_empty=True)
TARGET = Target("t", "1", "us-east-1", {"Bucket": "b"})
# With a delimiter, keys and common prefixes are in no common order.
UNORDERED = Target("t", "1", "us-east-1", {"Bucket": "b", "Delimiter": "/"})
KEYS = [f"{letter}" for letter in "abcdefghij"]


class Killed(BaseException):
    """The function's process was killed."""


@dataclass
class Service:
    """A listing of keys, in pages. A token is a generation, which can expire, and the last key of the page before."""

    keys: set[str] = field(default_factory=lambda: set(KEYS[::2]))
    generation: int = 0

    def list_objects_v2(
        self, *, Bucket: str, ContinuationToken: str | None = None, StartAfter: str = "", Delimiter: str = ""
    ) -> dict[str, Any]:
        after = StartAfter
        if ContinuationToken is not None:
            generation, _, after = ContinuationToken.partition(":")
            if int(generation) != self.generation:
                raise client_error("InvalidArgument", "ListObjectsV2")
        left = sorted(key for key in self.keys if key > after)
        page: dict[str, Any] = {"Contents": [{"Key": key} for key in left[:PAGE]], "IsTruncated": len(left) > PAGE}
        if len(left) > PAGE:
            page["NextContinuationToken"] = f"{self.generation}:{left[PAGE - 1]}"
        return page


class Invocation:
    """One invocation, in a thread of its own. Before each request, it waits until `tell` decides the outcome."""

    def __init__(self, world: Schedules, place: Place | None) -> None:
        self._world = world
        self._asking: queue.Queue[str] = queue.Queue()
        self._told: queue.Queue[str] = queue.Queue()
        self.outcome: Turned | BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(place,), daemon=True)
        self._thread.start()
        self._asking.get()

    @property
    def is_over(self) -> bool:
        return self.outcome is not None

    def tell(self, what: str) -> None:
        """Let the request succeed ("go"), make it fail before or after it takes effect, or kill the function."""
        self._told.put(what)
        self._asking.get()
        if self.is_over:
            self._thread.join()

    def _run(self, place: Place | None) -> None:
        try:
            self.outcome = self._world.step(self._gated).turn(PageState(RUN, CRAWL, self._world.target, place))
        except (PageturnerError, Killed) as error:
            self.outcome = error
        finally:
            self._asking.put("over")

    def _gated(self, client: Any) -> Any:
        invocation = self

        class Gated:
            def __getattr__(self, name: str) -> Any:
                request = getattr(client, name)

                def answered(**arguments: Any) -> Any:
                    invocation._asking.put(name)
                    what = invocation._told.get()
                    if what == "kill":
                        raise Killed
                    if what == "fail before":
                        raise client_error("InternalError", name)
                    answer = request(**arguments)
                    if what == "fail after":
                        raise client_error("InternalError", name)
                    return answer

                return answered

        return Gated()


class Schedules(RuleBasedStateMachine):
    """Stands in for both state machines, and injects the faults."""

    target = UNORDERED

    def __init__(self) -> None:
        super().__init__()
        self.service = Service()
        self.s3, self.dynamodb = FakeS3(), FakeDynamoDB()
        runs = stores_in(self.s3, self.dynamodb).runs
        assert runs.begin(RUN, CRAWL.as_dict(), 1, "plan", as_catalogued=True, source=None)
        self.always = set(self.service.keys)
        self.ever = set(self.service.keys)
        self.place: Place | None = None
        self.current: Invocation | None = None
        self.abandoned: list[Invocation] = []

    def step(self, gate: Any) -> PageStep:
        service, s3, dynamodb = gate(self.service), gate(self.s3), gate(self.dynamodb)
        stores = stores_in(s3, dynamodb)
        return PageStep(lambda *_: service, stores, lambda *_: service, Pace(stores))

    @property
    def has_ended(self) -> bool:
        return self.place is not None and self.place.next == "end"

    @rule(what=st.sampled_from(["go"] * 6 + ["fail before", "fail after", "kill"]))
    def go_on(self, what: str) -> None:
        """Let the current invocation make its next request, or start an invocation if there is none."""
        if not self.has_ended:
            self._go(what)

    @rule(what=st.sampled_from(["go"] * 4 + ["kill"]), which=st.integers(0, 1))
    def an_abandoned_one_goes_on(self, what: str, which: int) -> None:
        if self.abandoned:
            invocation = self.abandoned[which % len(self.abandoned)]
            invocation.tell(what)
            if invocation.is_over:
                self.abandoned.remove(invocation)

    @precondition(lambda self: self.current is not None and len(self.abandoned) < 2)
    @rule(from_checkpoint=st.booleans())
    def the_answer_is_lost(self, from_checkpoint: bool) -> None:
        """Abandon the current invocation, which keeps running: its page is fetched again."""
        assert self.current is not None
        self.abandoned.append(self.current)
        self.current = None
        if from_checkpoint:
            self._go_on_from_checkpoint()

    @rule(key=st.sampled_from(KEYS))
    def a_key_comes(self, key: str) -> None:
        self.service.keys.add(key)
        self.ever.add(key)

    @rule(key=st.sampled_from(KEYS))
    def a_key_goes(self, key: str) -> None:
        self.service.keys.discard(key)
        self.always.discard(key)

    @precondition(lambda self: self.service.generation < 3)
    @rule()
    def all_tokens_expire(self) -> None:
        self.service.generation += 1

    def _take_outcome(self) -> None:
        if self.current is None or not self.current.is_over:
            return
        outcome, self.current = self.current.outcome, None
        if isinstance(outcome, Turned):
            self.place = outcome.place
        else:
            self._go_on_from_checkpoint()

    def _go_on_from_checkpoint(self) -> None:
        self.place = None

    def teardown(self) -> None:
        """Turn the remaining pages without faults until the target ends, end the run, and check the result."""
        for _ in range(500):
            if self.has_ended:
                break
            self._go("go")
        assert self.has_ended
        assert stores_in(self.s3, self.dynamodb).runs.finish(RUN, {"outcome": "succeeded"})
        # Whoever was given up writes as late as can be.
        for invocation in self.abandoned:
            while not invocation.is_over:
                invocation.tell("go")
        self._check()

    def _go(self, what: str) -> None:
        if self.current is None:
            self.current = Invocation(self, self.place)
        else:
            self.current.tell(what)
        self._take_outcome()

    def _check(self) -> None:
        files = self._files()
        store = stores_in(self.s3, self.dynamodb).pages
        listed = [line["key"] for key in files for line in store.read(key).records]
        assert listed == sorted(set(listed)), "in order, without duplicates"
        assert self.always <= set(listed), "nothing lost"
        assert set(listed) <= self.ever, "nothing that never existed"

    def _files(self) -> list[str]:
        stores = stores_in(self.s3, self.dynamodb)
        ends = Ends(dict(counted(stores.checkpoints.pages(RUN))), {})
        assert [entry["verdict"] for entry in entries([self.target], ends)] == ["complete"]
        return list(last_passes(stores.checkpoints.pages(RUN)))


class OrderedSchedules(Schedules):
    """The same with a listing whose order is known: there is only one pass."""

    target = TARGET

    def _check(self) -> None:
        super()._check()
        assert self.place is not None
        assert self.place.pass_number == 1


for machine in (Schedules, OrderedSchedules):
    machine.TestCase.settings = settings(max_examples=500, stateful_step_count=40)
TestSchedules = Schedules.TestCase
TestOrderedSchedules = OrderedSchedules.TestCase
