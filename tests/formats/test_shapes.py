"""What is written changes only on purpose, and no running execution loses what it calls or reads.

If the first test fails: what you have changed is read by runs that are going on, or goes on in earlier definitions.
- Today's functions must read both shapes. `test_upgrades.py` goes on from the earlier one.
- Would an earlier version go wrong that leaves out what is new, after a rollback? Then raise `FORMAT` in
  `lambdas/pageturner/formats.py`: it refuses to go on.
- Then record the new shape beside the earlier ones: `python -m tests.formats.record`. A recording of a version
  that was never released is deleted, and made anew.
"""

from __future__ import annotations

from functools import cache

import pytest

from tests.formats.corpus import Recording, record, recordings
from tests.formats.shapes import difference

VERSIONS = recordings()
NEWEST = list(VERSIONS)[-1]


@cache
def now() -> Recording:
    return record()


def test_the_newest_recording_has_the_shapes_of_today() -> None:
    found = difference(Recording.read(VERSIONS[NEWEST]).shapes, now().shapes)
    shown = "\n".join(found)
    assert not found, (
        f"what is written differs from tests/formats/{NEWEST}; tests/formats/test_shapes.py says what to do:\n{shown}"
    )


def test_the_run_of_the_newest_recording_has_the_same_outcome() -> None:
    was, is_now = Recording.read(VERSIONS[NEWEST]).outcomes, now().outcomes
    # The next run has its name from when it begins.
    assert {**is_now, "next": {**is_now["next"], "run_id": was["next"]["run_id"]}} == was


@pytest.mark.parametrize("version", VERSIONS)
def test_functions_return_what_earlier_machines_read(version: str) -> None:
    """An execution keeps its definition, and its Choices and paths take what its functions returned then."""
    was, found = Recording.read(VERSIONS[version]).shapes, now().shapes
    missing = [
        f"{of}: {path}"
        for of, paths in was.items()
        if of.endswith(" returns")
        for path in sorted(paths - found.get(of, set()))
        if not path.endswith("(NoneType)")
    ]
    assert not missing


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_replaced_that_runs_need(version: str) -> None:
    """With another logical id, or another of these properties, CloudFormation makes a new one and deletes the old one.

    Running executions call functions and PageLoop by their ARNs, and runs keep their records in the tables.
    """
    was = Recording.read(VERSIONS[version]).lasting
    assert {name: now().lasting.get(name) for name in was} == was
