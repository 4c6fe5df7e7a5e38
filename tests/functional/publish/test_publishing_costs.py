"""What publishing costs is in the output of the execution, and in the table of runs, whoever did which part."""

from __future__ import annotations

import pytest

from tests.histories import Process, World, item, listed


@pytest.mark.parametrize(("most_rows", "is_in_parts"), [(1000, False), (2, True)])
def test_what_publishing_costs_is_added(most_rows: int, is_in_parts: bool) -> None:
    world = World(most_rows=most_rows)
    ran = world.run({"l1": listed([item(name) for name in "abcdefg"])})
    before = world.stores.runs.find(ran.run.run_id)
    assert before is not None
    assert before.summary is not None
    summary = world.publish(ran)
    assert summary is not None
    assert not [line for line in before.summary["cost_arithmetic"] if line.startswith("Publishing")]
    added = summary["published"]["estimated_cost"]
    assert summary["estimated_cost"] == pytest.approx(before.summary["estimated_cost"] + added, abs=2e-6)
    (row,) = world.parquet(f"summaries/runs/c/{ran.run.run_id}.parquet")
    assert row["dollars"] == summary["estimated_cost"]
    # Whoever does not end the publication says what it took.
    spent = [row for (_, name), row in world.dynamodb.tables["runs"].items() if name.startswith("spent#")]
    assert len(spent) == is_in_parts
    assert all(int(row["gb_seconds"]["N"]) > 0 for row in spent)


def test_whoever_repeats_the_end_says_the_same() -> None:
    world = World()
    ran = world.run({"l1": listed([item("a")])})
    first, second = world.publish(ran), world.publish(ran, Process())
    assert first is not None
    assert first == second
