"""What is said of a run once it is published: events, and rows of the tables `runs` and `targets`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from pageturner import table_names
from pageturner.prices import Volume
from pageturner.publish.announcing import Announcer
from tests.histories import ACCOUNT, Process, Ran, World, item, listed

KINDS = ("new", "changed", "gone", "replaced")
# EventBridge takes 256 KB in a request (User Guide, "PutEvents quotas").
MOST_BYTES = 256 * 1024
TYPES = {"string": str, "timestamp": datetime, "double": float, "bigint": int, "boolean": bool}
EMPTY = "it is empty, and what is published is not; to publish it, set allow_empty: true"


def sent(world: World, kind: str) -> list[dict[str, Any]]:
    """The details of the events of a kind that were sent."""
    return [event["Detail"] for event in world.events.sent if event["DetailType"] == kind]


def row_of(world: World, ran: Ran) -> dict[str, Any]:
    """The row of the table `runs`."""
    (row,) = world.parquet(f"summaries/runs/c/{ran.run.run_id}.parquet")
    return row


def targets_of(world: World, ran: Ran) -> dict[str, dict[str, Any]]:
    """The rows of the table `targets`, by target."""
    return {row["target"]: row for row in world.parquet(f"summaries/targets/c/{ran.run.run_id}.parquet")}


def publish(world: World, ran: Ran, asked_by: str = "") -> dict[str, Any]:
    found = world.publish(ran, asked_by=asked_by)
    assert found is not None
    return found


@pytest.mark.parametrize("most_rows", [1000, 2])
def test_what_events_say(most_rows: int) -> None:
    world = World(most_rows)
    publish(world, world.run({"l1": listed([item("a"), item("b"), item("c")])}))
    world.events.sent = []
    ran = world.run({"l1": listed([item("a"), item("b", "2"), item("d"), item("e")])})
    summary = publish(world, ran)
    assert [(event["Source"], event["DetailType"]) for event in world.events.sent] == [
        ("pageturner", "Run finished"),
        ("pageturner", "Items changed"),
    ]
    about = {
        "crawl": "c",
        "run_id": ran.run.run_id,
        "stack": "Stack",
        "as_catalogued": True,
        "generation": 1,
        "verdict": "complete",
        "outcome": "succeeded",
        "new": 2,
        "changed": 1,
        "gone": 1,
        "replaced": 0,
    }
    (finished,) = sent(world, "Run finished")
    assert finished == {
        **about,
        "pages": 1,
        "items": 4,
        "bytes": summary["bytes"],
        "throttles": 0,
        "restarts": 0,
        "seconds": 23 * 3600.0,
        "started_at": ran.run.started_at,
        "ended_at": summary["ended_at"],
        "targets": {"complete": 1},
        "manifest": f"s3://bucket/runs/{ran.run.run_id}/manifest.json",
        "message": summary["message"],
        "published": True,
    }
    assert finished["message"].endswith("; published 2 new, 1 changed, 1 gone")
    (changed,) = sent(world, "Items changed")
    name = summary["published"]["name"]
    lists = {kind: changed.pop(f"{kind}_keys") for kind in KINDS}
    assert {kind: sorted(keys) for kind, keys in lists.items()} == {
        "new": ["d", "e"],
        "changed": ["b"],
        "gone": ["c"],
        "replaced": [],
    }
    where = {
        "database": "pageturner",
        "table": "c",
        "name": name,
        "changes": f"s3://bucket/changes/crawl=c/run={name}/",
    }
    assert changed == {**about, **where}
    assert len(world.changes(name)) == 4


def test_which_events_are_sent_when() -> None:
    world = World()
    kinds: list[list[str]] = []

    def events_of(ran: Ran, asked_by: str = "") -> dict[str, Any]:
        world.events.sent = []
        found = publish(world, ran, asked_by)
        kinds.append([event["DetailType"] for event in world.events.sent])
        return found

    first = world.run({"l1": listed([item("a")])})
    events_of(first)
    assert kinds.pop() == ["Run finished", "Items changed"]
    events_of(first)  # published already
    assert kinds.pop() == []
    events_of(world.run({"l1": listed([item("a")])}))
    assert kinds.pop() == ["Run finished"]
    # A listing that is not published.
    empty = world.run({"l1": listed([])})
    kept = events_of(empty)
    assert kinds.pop() == ["Run finished"]
    assert kept["message"].endswith(f"; nothing to publish (not published: 1 listing: {EMPTY})")
    assert kept["published"]["kept"] == {EMPTY: 1}
    assert sent(world, "Run finished")[0]["published"] is False
    assert sent(world, "Run finished")[0]["message"] == kept["message"]
    assert row_of(world, empty)["published"] is False
    events_of(world.run({"l1": listed([item("b")], verdict="denied")}))
    assert kinds.pop() == ["Run finished"]
    assert sent(world, "Run finished")[0]["outcome"] == "failed"
    # Other keys.
    replaced = events_of(world.run({"l1": listed([item("a")])}, key="ETag"))
    assert kinds.pop() == ["Run finished", "Items changed"]
    assert [replaced["published"][kind] for kind in KINDS] == [0, 0, 0, 2]
    assert sorted(sent(world, "Items changed")[0]["replaced_keys"]) == ["1", "a"]
    # A gone listing.
    events_of(world.run({"l2": listed([item("z")])}, key="ETag"))
    assert kinds.pop() == ["Run finished", "Items changed"]
    assert sent(world, "Items changed")[0]["gone"] == 1


def test_all_that_is_huge_fits_into_a_request() -> None:
    world = World()
    # A character that takes 12 bytes in JSON.
    long = "\U0001f600" * 1000
    before = [item(f"{kind}{number:03}{long}") for kind in ("changed", "gone") for number in range(60)]
    after = [item(f"changed{number:03}{long}", "2") for number in range(60)]
    after += [item(f"new{number:03}{long}") for number in range(60)]
    publish(world, world.run({"l1": listed(before)}))
    world.events.sent = []
    ran = world.run({"l1": listed(after)})
    found = world.stores.runs.find(ran.run.run_id)
    assert found is not None
    summary = {**dict(found.summary or {}), "message": long * 20}
    key = {"pk": {"S": f"run#{ran.run.run_id}"}, "sk": {"S": "run"}}
    world.dynamodb.update_item(
        TableName="runs",
        Key=key,
        UpdateExpression="SET summary = :summary",
        ExpressionAttributeValues={":summary": {"S": json.dumps(summary)}},
    )
    publish(world, ran)
    (changed,) = sent(world, "Items changed")
    assert [changed[kind] for kind in KINDS] == [60, 60, 60, 0]
    for kind in ("new", "changed", "gone"):
        assert [len(key) for key in changed[f"{kind}_keys"]] == [200] * 20
        assert changed[f"{kind}_keys"][0].startswith(f"{kind}000\U0001f600")
    (finished,) = sent(world, "Run finished")
    assert len(finished["message"]) == 2000
    # Of all four kinds, there are no more.
    details = [json.dumps(event["Detail"]) for event in world.events.sent]
    assert sum(map(len, details)) + len(json.dumps(changed["new_keys"])) + 200 < MOST_BYTES
    # The table has all of it.
    assert row_of(world, ran)["message"] == long * 20


@pytest.mark.parametrize("most_rows", [1000, 2])
def test_rows_have_the_types_of_the_tables(most_rows: int) -> None:
    world = World(most_rows)
    ran = world.run(
        {
            "l1": listed([item("a"), item("b")], [item("c")]),
            "l2": listed([item("a")], verdict="denied"),
            "l3": listed([item("a")], verdict="limited"),
        }
    )
    summary = publish(world, ran)
    row = row_of(world, ran)
    assert list(row) == [name for name, _ in table_names.RUNS_COLUMNS]
    assert_types(row, dict(table_names.RUNS_COLUMNS), nullable=())
    assert row == {
        "run_id": ran.run.run_id,
        "crawl": "c",
        "verdict": "incomplete",
        "outcome": "failed",
        "started_at": datetime.fromisoformat("2126-01-01T00:00:00"),
        "ended_at": datetime.fromisoformat("2126-01-01T23:00:00"),
        "seconds": 23 * 3600.0,
        "targets": 3,
        **{name: summary[name] for name in ("pages", "items", "bytes", "throttles", "restarts", "manifest")},
        "dollars": summary["estimated_cost"],
        "published": True,
        "new": 4,
        "changed": 0,
        "gone": 0,
        "message": summary["message"].partition("; published")[0],
    }
    rows = targets_of(world, ran)
    for each in rows.values():
        assert list(each) == [name for name, _ in table_names.TARGETS_COLUMNS]
        assert_types(each, dict(table_names.TARGETS_COLUMNS), nullable=("error", "cause", "witness"))
        assert (each["run_id"], each["crawl"], each["account"], each["region"]) == (
            ran.run.run_id,
            "c",
            ACCOUNT,
            "eu-west-1",
        )
        assert (each["listing"], json.loads(each["parameters"])) == (each["target"], {"Bucket": each["target"]})
    shown = {of: (each["verdict"], each["published"], each["pages"], each["items"]) for of, each in rows.items()}
    assert shown == {"l1": ("complete", True, 2, 3), "l2": ("denied", False, 1, 1), "l3": ("limited", True, 1, 1)}


def assert_types(row: Mapping[str, Any], types: Mapping[str, str], nullable: tuple[str, ...]) -> None:
    for name, value in row.items():
        assert (value is None and name in nullable) or type(value) is TYPES[types[name]], (name, value)


def test_rows_of_a_later_generation_stay() -> None:
    world = World()
    first = world.run({"l1": listed([item("a")], verdict="denied"), "l2": listed([item("b")])})
    before = world.stores.runs.find(first.run.run_id)
    assert before is not None
    publish(world, first)
    assert row_of(world, first)["outcome"] == "failed"
    resumed = world.run({"l1": listed([item("a")]), "l2": listed([item("b")])}, resumes=first)
    publish(world, resumed)
    rows = row_of(world, resumed), targets_of(world, resumed)
    assert rows[0]["outcome"] == "succeeded"
    assert {of: row["verdict"] for of, row in rows[1].items()} == {"l1": "complete", "l2": "complete"}
    assert [event["generation"] for event in sent(world, "Run finished")] == [1, 2]
    # Who publishes the generation before, and is late.
    Announcer(world.stores, world.events, "pageturner", "Stack").announce(before, None, None, {}, Volume())
    assert (row_of(world, resumed), targets_of(world, resumed)) == rows


def test_a_generation_whose_run_is_resumed_is_not_announced() -> None:
    world = World()
    first = world.run({"l1": listed([item("a")], verdict="denied"), "l2": listed([item("b")])})
    requests = Process()
    world.copy().publish(first, requests)
    # Killed before its rows are put.
    dies_at = [name for name, _ in requests.requests].index("put_events") - 3
    assert world.publish(first, Process(dies_at=dies_at)) is None
    assert world.state().is_committed
    resumed = world.run({"l1": listed([item("a")]), "l2": listed([item("b")])}, resumes=first)
    publish(world, resumed)
    assert [event["generation"] for event in sent(world, "Run finished")] == [2]
    assert [(event["generation"], event["new"]) for event in sent(world, "Items changed")] == [(1, 1), (2, 1)]
    assert row_of(world, resumed)["outcome"] == "succeeded"


def test_half_a_surrogate_pair_in_what_is_said() -> None:
    world = World()
    ran = world.run({"l1": listed([item("a")])})
    key = f"runs/{ran.run.run_id}/manifest.json"
    text = world.s3.objects[key].body.decode()
    assert '"verdict": "complete"' in text
    body = text.replace('"verdict": "complete"', '"cause": "half of it: \\ud800 \\u0000", "verdict": "complete"')
    world.s3.put_object(Bucket="bucket", Key=key, Body=body.encode())
    publish(world, ran)
    assert targets_of(world, ran)["l1"]["cause"] == "half of it: ? \0"


def test_a_run_that_lists_what_the_catalogue_does_not_says_so() -> None:
    """Nothing starts after it: whoever comes after finds its source by what the catalogue lists."""
    world = World()
    denied = {"l1": listed([item("a")]), "l2": listed([item("b")], verdict="denied")}
    publish(world, world.run(denied, as_catalogued=False))
    first = world.run(denied)
    publish(world, first)
    # A person lets it pass.
    publish(world, world.run(denied, resumes=first, tolerate=("denied",)))
    said = [(event["as_catalogued"], event["outcome"]) for event in sent(world, "Run finished")]
    assert said == [(False, "failed"), (True, "failed"), (False, "succeeded")]
