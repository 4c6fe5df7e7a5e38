"""Services whose listings begin and end at times, and runs of a crawl that lists what is new in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.utils import parse_timestamp

from pageturner import clients
from tests.conftest import REGION, Aws, Machines

TRAIL: dict[str, Any] = {
    "service": "cloudtrail",
    "operation": "lookup_events",
    "since": {"parameter": "StartTime", "until": "EndTime", "lag": "10s"},
}
LOGS: dict[str, Any] = {
    "service": "logs",
    "operation": "filter_log_events",
    "parameters": {"logGroupName": "group"},
    "since": {"parameter": "startTime", "until": "endTime", "lag": "10s"},
}
START = datetime(2126, 2, 3, 4, 5, 6, tzinfo=UTC)
# A minute after the other.
RUNS = ["2126-02-03T04:06:06.789Z", "2126-02-03T04:07:06.001Z", "2126-02-03T04:08:06.999Z", "2126-02-03T04:09:06.000Z"]
ENDS = ["2126-02-03T04:05:56Z", "2126-02-03T04:06:56Z", "2126-02-03T04:07:56Z", "2126-02-03T04:08:56Z"]


@dataclass
class Service:
    """Has events here and there, and beside the ends of all windows, up to `now`; lists them in pages of 7.

    `kind` is the operation's; `takes` says which of the two ends of a window it takes as inclusive. `rounds` says that
    it knows whole seconds only, and rounds its bounds to the nearest.
    """

    kind: str
    takes: tuple[str, ...]
    rounds: bool = False
    now: datetime = START
    denies: bool = False
    state: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def events(self) -> Iterator[tuple[str, datetime]]:
        for number in range(20):
            yield f"every 11 s-{number}", START + timedelta(seconds=11 * number)
        for number, end in enumerate(ENDS):
            for beside in (-1001, -1000, -999, -501, -500, -1, 0, 1, 499, 500, 999, 1000, 1001):
                yield f"{number}-{beside}", datetime.fromisoformat(end) + timedelta(milliseconds=beside)

    def visible(self, end: str) -> list[str]:
        until = datetime.fromisoformat(end)
        return sorted(key for key, time in self.events() if time <= until)

    def list(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.denies:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "LookupEvents")
        start, end = (self._time(request.get(name)) for name in (self.name("start"), self.name("end")))
        found = [
            (key, time)
            for key, time in self.events()
            if time <= self.now
            and (start is None or time > start or (time == start and "start" in self.takes))
            and (end is None or time < end or (time == end and "end" in self.takes))
        ]
        token = request.get("NextToken", request.get("nextToken"))
        at = int(token or 0)
        more = {self.name("next"): str(at + 7)} if at + 7 < len(found) else {}
        return {("Events" if self.kind == "cloudtrail" else "events"): [*map(self._item, found[at : at + 7])], **more}

    def name(self, which: str) -> str:
        name = {"start": "StartTime", "end": "EndTime", "next": "NextToken"}[which]
        return name if self.kind == "cloudtrail" else name[0].lower() + name[1:]

    def _time(self, bound: Any) -> datetime | None:
        if bound is None:
            return None
        time = datetime.fromtimestamp(bound / 1000, UTC) if isinstance(bound, int) else parse_timestamp(bound)
        return (time + timedelta(milliseconds=500)).replace(microsecond=0) if self.rounds else time

    def _item(self, event: tuple[str, datetime]) -> dict[str, Any]:
        key, time = event
        if self.kind == "cloudtrail":
            return {"EventId": key, "EventTime": time, "EventName": self.state}
        return {"eventId": key, "timestamp": round(time.timestamp() * 1000), "message": key}


def connected(service: Service, monkeypatch: pytest.MonkeyPatch, region: str = REGION) -> Service:
    operation = {"cloudtrail": "lookup_events", "logs": "filter_log_events"}[service.kind]
    monkeypatch.setattr(clients.client(service.kind, region), operation, service.list)
    return service


def begin(machines: Machines, service: Service, number: int, asked: Any = None) -> dict[str, Any]:
    """Plan the run at that time of `RUNS`."""
    machines.started_at, machines.entered_at = RUNS[number], ""
    service.now = datetime.fromisoformat(RUNS[number])
    return machines.plan(asked or {"crawl": "c"}, f"execution-{number}")


def turn(aws: Aws, machines: Machines, planned: Mapping[str, Any]) -> dict[str, Any]:
    for target in aws.json(planned["targets"]["key"]):
        machines.turn_all(planned, target)
    return machines.finish(planned)


def fail(machines: Machines, service: Service, number: int) -> dict[str, Any]:
    planned = begin(machines, service, number)
    service.denies = True
    assert machines.finish(planned)["outcome"] == "failed"
    service.denies = False
    machines.running.clear()
    return planned
