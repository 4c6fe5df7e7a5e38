"""The recordings: a folder each, of what a version of Pageturner wrote, and of the machines that it had.

What was deployed once is never changed: runs that it began go on, and what it published stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.formats.deployment import lasting, resources
from tests.formats.outcome import outcome
from tests.formats.shapes import Shapes, shapes_of
from tests.formats.snapshot import Snapshot
from tests.formats.story import HAND_OVERS, Recorder, deployed, play, run_id_of
from tests.infra.conftest import machine
from tests.machines.states import Failed, State
from tests.machines.world import Definitions

FOLDER = Path(__file__).parent
# Of these, the file of a stage has what differs from the stage before; what is gone is null.
_MOST = ("objects", "rows")


@dataclass(frozen=True)
class Recording:
    """What a version writes, in each stage, and what becomes of it; `calls` are those of its functions."""

    crawl: State
    page_loop: State
    lasting: Mapping[str, Any]
    stages: Mapping[str, Snapshot]
    calls: list[tuple[str, Any, Any]]
    outcomes: Mapping[str, Any]  # of the first run, and of the next one

    @property
    def shapes(self) -> Shapes:
        return shapes_of(self.stages.values(), self.calls)

    def write(self, folder: Path) -> None:
        """Write it to a folder that is not there."""
        folder.mkdir()
        for name in ("crawl", "page_loop", "lasting", "calls", "outcomes"):
            _write(folder / f"{name}.json", getattr(self, name))
        before: dict[str, Any] = {}
        for number, (name, stage) in enumerate(self.stages.items(), 1):
            now = asdict(stage)
            _write(
                folder / f"{number:02}-{name}.json",
                {**now, **{of: _changes(before.get(of, {}), now[of]) for of in _MOST}},
            )
            before = now

    @classmethod
    def read(cls, folder: Path) -> Recording:
        parts = {
            name: json.loads((folder / f"{name}.json").read_text())
            for name in ("crawl", "page_loop", "lasting", "calls", "outcomes")
        }
        stages = {}
        so_far: dict[str, Any] = {of: {} for of in _MOST}
        for path in sorted(folder.glob("[0-9]*.json")):
            found = json.loads(path.read_text())
            so_far = {of: _changed(so_far[of], found[of]) for of in _MOST}
            stages[path.stem.partition("-")[2]] = Snapshot(**{**found, **so_far})
        return cls(**{**parts, "calls": [tuple(call) for call in parts["calls"]], "stages": stages})


def record() -> Recording:
    """Play the story with the code that there is now."""
    of = resources()
    crawl, page_loop = machine(of, "STANDARD"), machine(of, "EXPRESS")
    world = Recorder(Definitions.of_template(of, crawl, page_loop, HAND_OVERS))
    outcomes = {}
    with deployed(world):
        stages = {}
        for name, stage in play(world):
            stages[name] = Snapshot(**json.loads(json.dumps(asdict(stage))))
            if name == "published":
                outcomes["first"] = outcome(world, run_id_of(world))
        outcomes["next"] = outcome(world, str(world.latest.output["run_id"]))
    calls = [each for each in world.calls if not isinstance(each[2], Failed)]
    return Recording(crawl, page_loop, lasting(of), stages, _different(calls), outcomes)


def recordings() -> dict[str, Path]:
    """Return the folders of all recordings, the oldest first."""
    found = sorted((path for path in FOLDER.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return {path.name: path for path in found}


def _different(calls: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    """Leave out the calls that look like one before."""
    seen: set[str] = set()
    left = []
    for call in calls:
        looks = json.dumps(sorted((of, sorted(paths)) for of, paths in shapes_of([], [call]).items()))
        if looks not in seen:
            seen.add(looks)
            left.append(call)
    return left


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: each for name, each in now.items() if before.get(name) != each},
        **dict.fromkeys(name for name in before if name not in now),
    }


def _changed(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in {**before, **changes}.items() if each is not None}


def _write(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")
