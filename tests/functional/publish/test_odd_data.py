"""Whatever the items are, Parquet, the changes and DynamoDB have them, and a second run finds that nothing changed."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import CannotPublishError
from pageturner.stores.keys import sort_key
from pageturner.turn.records import item_json
from tests.conftest import Aws, Machines
from tests.histories import Process, World, item, listed
from tests.parquet import changes_of, table_of

pytestmark = pytest.mark.usefixtures("_one_connection")
Pages = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Case:
    """What two runs list, the first one twice, and what the second changes; `search` finds the items."""

    first: Pages
    second: Pages
    changes: dict[str, int]
    crawl: dict[str, Any] = field(default_factory=dict)
    search: str = ""


def thing(key: str, value: Any = 1, **more: Any) -> dict[str, Any]:
    return {"Key": key, "Size": value, **more}


BIG = "x" * 1_000_000
LONG = "k" * 2047
# To SQL, to JavaScript, to a page, to a path, to a format; and some that differ by case only.
SAYING: tuple[str, ...] = (
    "",
    ".",
    "a.b",
    "a[0]",
    "'",
    '"',
    "`",
    "\\",
    "\n",
    "\r\n",
    "\u2028",
    "\u2029",
    "\x7f",
    "%s",
    "{0}",
    "$(id)",
    "../..",
)
SAYING += ("__proto__", "constructor", "item", "ITEM", "listing", "SELECT", "select", "x'; DROP TABLE lines; --")
SAYING += (
    "</script><script>alert(1)</script>",
    "<!--",
    "NULL",
    "null",
    "NaN",
    "-Infinity",
    "\ud800",
    "\ud801",
    "é",
    "e\u0301",
)
DEEP: Any = json.loads("[" * 300 + "]" * 300)
CASES = {
    "half a surrogate pair in keys": Case(
        [[thing("a\ud800"), thing("a\udfff"), thing("\udfff\ud800")], [thing("a?"), thing("a\ud83d\ude00")]],
        [[thing("a\ud800", 2), thing("\udfff\ud800")], [thing("a?"), thing("a\ud83d\ude00", 2), thing("\ud801")]],
        {"new": 1, "changed": 2, "gone": 1},
    ),
    "half a surrogate pair in items": Case(
        [[thing("a", ETag="\ud800"), thing("b", ETag="\\ud800"), thing("c", **{"\ud800": "\udfff"})], [thing("d")]],
        [[thing("a", ETag="\ud801"), thing("b", ETag="\\ud801"), thing("c", **{"\ud800": "1"})], [thing("d")]],
        {"new": 0, "changed": 3, "gone": 0},
    ),
    "half a surrogate pair, and ignored fields": Case(
        [[thing("a\ud800", 1, ETag="\ud800"), thing("b", 1, ETag="\ud800")]],
        [[thing("a\ud800", 2, ETag="\ud800"), thing("b", 2, ETag="\ud801")]],
        {"new": 0, "changed": 1, "gone": 0},
        {"ignore_fields": ["Size"]},
    ),
    "NUL": Case(
        [[thing("a\0b"), thing("a\0c"), thing("a"), thing("\0")], [thing("d", ETag="x\0y", **{"\0": 1})]],
        [[thing("a\0b", 2), thing("a"), thing("\0\0")], [thing("d", ETag="x\0z", **{"\0": 2})]],
        {"new": 1, "changed": 2, "gone": 2},
    ),
    "keys of 2 KB": Case(
        [[thing(f"{LONG}1"), thing(f"{LONG}2"), thing("ü" * 600)], [thing("ü" * 512), thing("ü" * 512 + "x")]],
        [[thing(f"{LONG}1", 2), thing("ü" * 600)], [thing("ü" * 512, 2), thing("ü" * 512 + "x"), thing(f"{LONG}3")]],
        {"new": 1, "changed": 2, "gone": 1},
    ),
    # The key is a hash of the item then.
    "no keys": Case(
        [[thing(""), {"Size": 1}, {"Key": None}], [{}]],
        [[thing("", 2), {"Size": 1}, {"Key": None}], [{}]],
        {"new": 1, "changed": 0, "gone": 1},
    ),
    "keys that say something to SQL, S3 or DynamoDB": Case(
        [[thing(key) for key in ("'", '"', "Contents#a", "CommonPrefixes#a", "#", "a\n", "a\r\n", "a\u2028b")]],
        [[thing(key, 2) for key in ("'", '"', "Contents#a", "CommonPrefixes#a", "#", "a\n", "a\r\n", "a\u2028b")]],
        {"new": 0, "changed": 8, "gone": 0},
    ),
    "names that say something elsewhere": Case(
        [[thing("a", **{name: name for name in SAYING}), thing("b", [{name: 1} for name in SAYING])], [thing("c")]],
        [[thing("a", **dict.fromkeys(SAYING, "2")), thing("b", [{name: 2} for name in SAYING])], [thing("c")]],
        {"new": 0, "changed": 2, "gone": 0},
    ),
    "keys that say something elsewhere": Case(
        [[thing(name) for name in SAYING if name]],
        [[thing(name, 2) for name in SAYING if name]],
        {"new": 0, "changed": len(SAYING) - 1, "gone": 0},
    ),
    "strings": Case(
        [[thing("a"), thing("b"), thing("c\ud800")], [thing("ü" * 2000)]],
        [[thing("a"), thing("c\ud800")], [thing("ü" * 2000), thing("d")]],
        {"new": 1, "changed": 0, "gone": 1},
        {"key": "@"},
        "Contents[].Key",
    ),
    "numbers, and what JSON does not have": Case(
        [[thing("", value) for value in (1, 1.0, 1.5, 10**30, 10**400, -0.0, float("nan"), float("inf"), True, "1")]],
        [[thing("", value) for value in (1, 1.5, 10**30, 10**400, -0.0, float("nan"), float("inf"), True, "1", 7)]],
        {"new": 1, "changed": 0, "gone": 1},
        {"key": "@"},
        "Contents[].Size",
    ),
    "lists": Case(
        [[thing("a"), thing("b", [[]])]],
        [[thing("a", 2), thing("b", [[]])]],
        {"new": 0, "changed": 1, "gone": 0},
        {"key": "[0]"},
        "Contents[].[Key, Size] | [*]",
    ),
    "items of 1 MB": Case(
        [[thing("a", BIG), thing("b", BIG + "1"), thing("c")], [thing("d", "ü" * 100_000)]],
        [[thing("a", BIG + "2"), thing("c", BIG)], [thing("d", 1)]],
        {"new": 0, "changed": 3, "gone": 1},
    ),
    "items that are deep": Case(
        [[thing("a", DEEP)]], [[thing("a", [DEEP])]], {"new": 0, "changed": 1, "gone": 0}, {"ignore_fields": ["ETag"]}
    ),
    "empty pages": Case(
        [[], [], [thing("a")], [], [thing("b")], []],
        [[thing("a", 2)], [], []],
        {"new": 0, "changed": 1, "gone": 1},
    ),
    "the same item on several pages": Case(
        [[thing("a"), thing("a")], [thing("a"), thing("b")], [thing("b")]],
        [[thing("a")], [thing("b", 2)], [thing("b", 2), thing("a")]],
        {"new": 0, "changed": 1, "gone": 0},
    ),
    "other items with the same key": Case(
        [[thing("a"), thing("a", 2)], [thing("a", 1.0)], [thing("b")]],
        [[thing("a")], [thing("a", 1.0), thing("a", 3)], [thing("b")]],
        {"new": 1, "changed": 0, "gone": 1},
    ),
    "other items with the same key, which is half a surrogate pair": Case(
        [[thing("a\ud800"), thing("a\ud800", 2)], [thing("a\ud801")]],
        [[thing("a\ud800"), thing("a\ud800", 3)], [thing("a\ud801")]],
        {"new": 1, "changed": 0, "gone": 1},
    ),
}


def run(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch, case: Case, pages: Pages, day: int
) -> dict[str, Any]:
    """Run the crawl on a day, and publish it."""
    answers = iter(
        [
            {
                "Contents": list(page),
                **({"IsTruncated": True, "NextContinuationToken": f"t{number}"} if number < len(pages) else {}),
            }
            for number, page in enumerate(pages, start=1)
        ]
    )
    with monkeypatch.context() as patch:
        patch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", lambda **_: next(answers))
        machines.started_at = f"2126-02-{day:02}T00:00:00.000Z"
        search = {"search": case.search} if case.search else {}
        # With a delimiter, items are in no order that the keys must have.
        parameters = {"Bucket": "b", "Delimiter": "|"}
        crawl = {"service": "s3", "operation": "list_objects_v2", "parameters": parameters, "key": "Key"}
        machines.catalogue = {"c": {**crawl, **search, **case.crawl}}
        summary = machines.run(aws, {"crawl": "c"}, f"execution-{day}")
    assert summary["verdict"] == "complete", summary["message"]
    return machines.publish(summary)


def check(aws: Aws, summary: dict[str, Any], case: Case, pages: Pages) -> None:
    """Compare what there is with what was listed."""
    listed = [_found(case, one) for page in pages for one in page]
    texts = {item_json(one) for one in listed}
    table = table_of(aws, summary)
    assert sorted(row["item"] for row in table) == sorted(texts)
    ids = {f"{row['name']}#{row['hash']}" if row["shares_key"] else row["name"]: row for row in table}
    assert len(ids) == len(table) == summary["published"]["rows"]
    if not case.crawl.get("ignore_fields"):
        assert all(row["hash"] == hashlib.sha256(row["item"].encode()).hexdigest()[:16] for row in table)
    there = {row["sk"]["S"]: row for row in aws.rows(aws.items_table) if row["pk"]["S"] != "c"}
    assert set(there) == {sort_key(each) for each in ids}
    lines: dict[str, set[str]] = {}
    for each, row in ids.items():
        in_table = there[sort_key(each)]
        assert in_table["hash"]["S"] == row["hash"]
        # DynamoDB takes no larger one.
        expected = row["item"] if len(row["item"]) < 380_000 else None
        assert in_table.get("item", {"S": None})["S"] == expected
        # The one of the run that changed it last.
        for page_object in (in_table["page_object"]["S"], row["page_object"]):
            if page_object not in lines:
                lines[page_object] = {line["item"] for line in aws.lines(page_object)}
            assert row["item"] in lines[page_object]


def _found(case: Case, one: Any) -> Any:
    """The item that a crawl finds in an object: all of it, a member, or several."""
    if not case.search:
        return one
    members = {"Contents[].Key": ["Key"], "Contents[].Size": ["Size"]}.get(case.search)
    return one[members[0]] if members else [one["Key"], one["Size"]]


def counts(summary: dict[str, Any]) -> dict[str, int]:
    return {kind: summary["published"][kind] for kind in ("new", "changed", "gone")}


@pytest.mark.parametrize(
    ("name", "most_rows"), [*((name, 500_000) for name in CASES), *((name, 4) for name in CASES if "keys" in name)]
)
def test_odd_items(name: str, most_rows: int, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    monkeypatch.setenv("MOST_ROWS", str(most_rows))
    first = run(aws, machines, monkeypatch, case, case.first, 1)
    check(aws, first, case, case.first)
    assert counts(first) == {"new": first["published"]["rows"], "changed": 0, "gone": 0}
    rows = sorted(aws.rows(aws.items_table), key=lambda row: row["sk"]["S"])

    again = run(aws, machines, monkeypatch, case, case.first, 2)
    assert counts(again) == {"new": 0, "changed": 0, "gone": 0}
    assert changes_of(aws, again) == []
    assert sorted(aws.rows(aws.items_table), key=lambda row: row["sk"]["S"]) == rows

    second = run(aws, machines, monkeypatch, case, case.second, 3)
    assert counts(second) == case.changes
    changes = changes_of(aws, second)
    assert Counter(change["kind"] for change in changes) == Counter(
        {kind: count for kind, count in case.changes.items() if count}
    )
    befores = Counter(item_json(_found(case, one)) for page in case.first for one in page)
    afters = Counter(item_json(_found(case, one)) for page in case.second for one in page)
    for change in changes:
        assert (change["before"] is None) == (change["kind"] == "new")
        assert (change["after"] is None) == (change["kind"] == "gone")
        assert change["before"] is None or change["before"] in befores
        assert change["after"] is None or change["after"] in afters
    if not case.crawl.get("ignore_fields"):
        check(aws, second, case, case.second)

    # A person who publishes it again finds nothing to do: the table and DynamoDB agree.
    rows = sorted(aws.rows(aws.items_table), key=lambda row: row["sk"]["S"])
    asked = machines.plan({"publish": second["run_id"]})["publish"]
    assert counts(machines.publish(asked, "execution-4")) == {"new": 0, "changed": 0, "gone": 0}
    assert sorted(aws.rows(aws.items_table), key=lambda row: row["sk"]["S"]) == rows


@pytest.mark.parametrize("most_rows", [10_000, 1000])
def test_one_huge_page(most_rows: int) -> None:
    world = World(most_rows)
    items = [item(f"{number:04}", "y" * 2000) for number in range(3001)]
    world.check(world.publish(world.run({"l1": listed(items[:-1])})))
    again = world.publish(world.run({"l1": listed(items[:-1])}))
    assert again is not None
    assert {kind: again["published"][kind] for kind in ("new", "changed", "gone")} == {
        "new": 0,
        "changed": 0,
        "gone": 0,
    }
    world.check(world.publish(world.run({"l1": listed(items[1:])})))


@pytest.mark.parametrize("most_rows", [1000, 2])
def test_a_file_of_the_publication_before_is_gone(most_rows: int) -> None:
    world = World(most_rows)
    first = world.publish(world.run({"l1": listed([item("a"), item("b"), item("c")])}))
    assert first is not None
    key = f"tables/c/run={first['published']['name']}/0000.parquet"
    file = world.s3.objects.pop(key)
    second = world.run({"l1": listed([item("a"), item("b", "2")])})
    for asked_by in ("", "a-person"):
        with pytest.raises(
            CannotPublishError, match=f"an earlier publication's file is gone: s3://bucket/{re.escape(key)}$"
        ):
            world._publish(second, Process(), asked_by)
        # Nothing was published, and nothing is in the way.
        state = world.state()
        assert (state.pending, state.current and state.current.run_id) == (None, first["run_id"])
        assert {sk for _, sk in world.rows()} == {"a", "b", "c"}
    # Once the file is back, its run is published, or the next one.
    world.s3.objects[key] = file
    summary = world._publish(second, Process(), "")
    assert [summary["published"][kind] for kind in ("new", "changed", "gone")] == [0, 1, 1]
    assert {sk for _, sk in world.rows()} == {"a", "b"}
    third = world._publish(world.run({"l1": listed([item("a")])}), Process(), "")
    assert [third["published"][kind] for kind in ("new", "changed", "gone")] == [0, 0, 1]


def test_a_crawl_that_forgets_what_it_has_published_publishes_anew() -> None:
    """As docs/reliability.md says, after files of what is published were deleted."""
    text = (Path(__file__).parents[3] / "docs" / "reliability.md").read_text(encoding="utf-8")
    command = text.partition("### Publish anew")[2].partition("```sh")[2].partition("```")[0]
    update, names, condition = (
        re.search(f"--{option} '([^']+)'", command)[1]  # type: ignore[index]
        for option in ("update-expression", "expression-attribute-names", "condition-expression")
    )
    world = World()
    first = world.publish(world.run({"l1": listed([item("a"), item("b")]), "l2": listed([item("c")])}))
    assert first is not None
    del world.s3.objects[f"tables/c/run={first['published']['name']}/0000.parquet"]
    world.dynamodb.update_item(
        TableName="runs",
        Key={"pk": {"S": "published#c"}, "sk": {"S": "published"}},
        UpdateExpression=update,
        ExpressionAttributeNames=json.loads(names),
        ConditionExpression=condition,
    )
    second = world._publish(world.run({"l1": listed([item("a"), item("d")])}), Process(), "")
    assert [second["published"][kind] for kind in ("number", "new", "changed", "gone")] == [2, 2, 0, 0]
    assert {sk for _, sk in world.rows()} == {"a", "d"}
    assert world.glue.tables["c"]["Parameters"]["pageturner.publication"] == "2"


def test_the_manifest_of_a_run_is_gone() -> None:
    world = World()
    world.publish(world.run({"l1": listed([item("a")])}))
    broken = world.run({"l1": listed([item("b")])})
    key = f"runs/{broken.run.run_id}/manifest.json"
    del world.s3.objects[key]
    for asked_by in ("", "a-person"):
        with pytest.raises(CannotPublishError, match=f"the manifest of the run is gone: s3://bucket/{re.escape(key)}$"):
            world._publish(broken, Process(), asked_by)
        assert world.state().pending is None
    third = world.run({"l1": listed([item("c")])})
    world.check(world.publish(third))


def test_the_manifest_goes_while_its_run_is_published() -> None:
    """What is committed then stays, and the next run tells DynamoDB all of it."""
    world = World()
    broken = world.run({"l1": listed([item("a"), item("b")])})
    requests = Process()
    world.copy().publish(broken, requests)
    dies_at = [name for name, _ in requests.requests].index("put_events") - 3
    assert world.publish(broken, Process(dies_at=dies_at)) is None
    assert world.state().is_committed
    manifest = world.s3.objects.pop(f"runs/{broken.run.run_id}/manifest.json")
    with pytest.raises(CannotPublishError, match="the manifest of run-01 is gone"):
        world._publish(broken, Process(), "")
    assert world.state().pending is None
    assert {row["key"] for row in world.table()} == {"a", "b"}
    world.check(world.publish(world.run({"l1": listed([item("b"), item("c")])})))
    # The run itself never says that it is published; with the file it does.
    world.s3.objects[f"runs/{broken.run.run_id}/manifest.json"] = manifest
    assert world._publish(broken, Process(), "")["published"]["kept"] == {"a later run has published it": 1}
