"""What a person asks for: how two runs differ, that a run is published, or that its publishing goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest

import publish_run
from pageturner.errors import CannotPublishError, InvalidCrawlError
from pageturner.stores import Stores
from tests.conftest import Aws, Machines
from tests.parquet import rows_of, table_of
from tests.published import publish_as_it_is
from tests.runs_of_a_bucket import CRAWL, keys_in_dynamodb

pytestmark = pytest.mark.usefixtures("_one_connection")
TWO: dict[str, Any] = {
    **{name: value for name, value in CRAWL.items() if name != "parameters"},
    "for_each": {"list": [{"Bucket": "one"}, {"Bucket": "two"}]},
    "tolerate": ["denied", "failed"],
}


@pytest.fixture(params=["500000", "2"], ids=["whole", "in buckets"])
def _rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, aws: Aws) -> None:
    monkeypatch.setenv("MOST_ROWS", request.param)


def bucket(name: str, objects: Mapping[str, str]) -> None:
    """Let a bucket have these objects and no others; those that are there stay as they are."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=name)
    there = {found["Key"]: found["Size"] for found in s3.list_objects_v2(Bucket=name).get("Contents", [])}
    for key in there.keys() - objects.keys():
        s3.delete_object(Bucket=name, Key=key)
    for key, body in objects.items():
        if there.get(key) != len(body):
            s3.put_object(Bucket=name, Key=key, Body=body)


def run(
    aws: Aws, machines: Machines, day: int, *, publishes: bool = True, crawl: str = "c", **more: Any
) -> dict[str, Any]:
    machines.started_at = f"2126-03-{day:02}T00:00:00.000Z"
    summary = machines.run(aws, {"crawl": crawl, **more}, f"execution-{day}")
    return machines.publish(summary) if publishes else summary


def compare(machines: Machines, earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    planned = machines.plan({"changes": [earlier["run_id"], later["run_id"]]}, "execution-of-a-person")
    assert set(planned) == {"publish", "execution"}
    return machines.publish(planned["publish"], "execution-of-a-person")


def publish(machines: Machines, run_id: str, execution: str = "execution-of-a-person") -> dict[str, Any]:
    planned = machines.plan({"publish": run_id}, execution)
    assert set(planned) == {"publish", "execution"}
    return machines.publish(planned["publish"], execution)


def changed(aws: Aws, summary: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    prefix = summary["changes"].removeprefix(f"s3://{aws.bucket}/")
    return sorted((row["kind"], row["key"], row["fields"]) for row in rows_of(aws, prefix))


def everything(aws: Aws) -> tuple[Any, ...]:
    """All that publishing writes."""
    objects = {key: aws.s3.head_object(Bucket=aws.bucket, Key=key)["ETag"] for key in aws.object_keys()}
    kept = {
        key: etag for key, etag in objects.items() if not key.startswith(("publishing/", "comparisons/", "tokens/"))
    }
    # Each publication, or comparison in parts, has a row of what it cost.
    rows = [row for row in aws.rows(aws.runs_table) if not row["sk"]["S"].startswith("spent#")]
    return kept, aws.rows(aws.items_table), rows


@pytest.mark.usefixtures("_rows")
def test_two_runs_differ_whatever_was_published_between_them(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", {"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"})
    first = run(aws, machines, 1)
    bucket("source", {"a": "1", "d": "1", "e": "1", "x": "1"})
    run(aws, machines, 2)
    bucket("source", {"a": "1", "b": "22", "d": "1", "e": "1", "f": "1", "g": "1"})
    third = run(aws, machines, 3)
    before = everything(aws)
    summary = compare(machines, first, third)
    assert {kind: summary[kind] for kind in ("new", "changed", "gone", "not_compared")} == {
        "new": 2,
        "changed": 1,
        "gone": 1,
        "not_compared": 0,
    }
    assert summary["message"] == f"{third['run_id']} compared with {first['run_id']}: 2 new, 1 changed, 1 gone"
    assert (summary["outcome"], summary["compared_with"]) == ("succeeded", first["run_id"])
    found = changed(aws, summary)
    assert [(kind, key) for kind, key, _ in found] == [("changed", "b"), ("gone", "c"), ("new", "f"), ("new", "g")]
    assert {"ETag", "Size"} <= set(found[0][2]) <= {"ETag", "LastModified", "Size"}
    assert [summary[f"{kind}_keys"] for kind in ("new", "changed", "gone")] == [["f", "g"], ["b"], ["c"]]
    # Nobody sees anything else.
    assert everything(aws) == before

    assert compare(machines, first, third) == summary
    assert changed(aws, summary) == found
    back = compare(machines, third, first)
    assert (back["new"], back["changed"], back["gone"]) == (1, 1, 2)
    assert sorted(back["gone_keys"]) == ["f", "g"]
    assert everything(aws) == before


@pytest.mark.usefixtures("_rows")
def test_runs_of_which_none_is_published(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", {"a": "1", "b": "1", "c": "1"})
    first = run(aws, machines, 1, publishes=False)
    bucket("source", {})
    second = run(aws, machines, 2, publishes=False)
    summary = compare(machines, first, second)
    assert (summary["new"], summary["changed"], summary["gone"]) == (0, 0, 3)
    assert compare(machines, second, second | {"run_id": first["run_id"]})["new"] == 3
    # They are published as if nobody had asked.
    assert publish_as_it_is(first["run_id"])["published"]["new"] == 3
    assert publish_as_it_is(second["run_id"])["published"]["gone"] == 0


@pytest.mark.usefixtures("_rows")
def test_listings_that_are_complete_in_only_one_of_them(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": TWO}
    bucket("one", {"a": "1", "b": "1", "c": "1"})
    bucket("two", {"a": "1", "b": "1"})
    first = run(aws, machines, 1)
    bucket("one", {"a": "1", "b": "22", "c": "1"})
    boto3.client("s3").delete_object(Bucket="two", Key="a")
    second = run_without(aws, machines, 2, "two")
    assert second["targets"] == {"complete": 1, "denied": 1}
    bucket("two", {"b": "1", "c": "1"})
    third = run(aws, machines, 3, pagination_config={"MaxItems": 1}, publishes=False)
    assert third["targets"] == {"limited": 2}
    summary = compare(machines, first, second)
    assert (summary["new"], summary["changed"], summary["gone"], summary["not_compared"]) == (0, 1, 0, 1)
    assert summary["message"].endswith("0 new, 1 changed, 0 gone; 1 listing not complete in both")
    # There is nothing to compare.
    none = compare(machines, first, third)
    assert (none["new"], none["changed"], none["gone"], none["not_compared"]) == (0, 0, 0, 2)
    assert changed(aws, none) == []


def run_without(aws: Aws, machines: Machines, day: int, name: str) -> dict[str, Any]:
    """Run the crawl on a day on which nobody is allowed to list a bucket, and publish it."""
    machines.started_at = f"2126-03-{day:02}T00:00:00.000Z"
    planned = machines.plan({"crawl": "c"}, f"execution-{day}")
    for target in aws.json(planned["targets"]["key"]):
        if target["parameters"]["Bucket"] != name:
            machines.turn_all(planned, target)
            continue
        key = {"pk": f"run#{planned['run']['run_id']}", "sk": f"verdict#1#{target['target_id']}"}
        record = {**key, "verdict": "denied", "error": "AccessDeniedError", "cause": "{}"}
        aws.dynamodb.put_item(TableName=aws.runs_table, Item={name: {"S": value} for name, value in record.items()})
    return machines.publish(machines.finish(planned))


def test_ignored_fields_are_those_of_the_later_run(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", {"a": "1", "b": "1"})
    first = run(aws, machines, 1)
    bucket("source", {"a": "1", "b": "22"})
    machines.catalogue = {"c": {**CRAWL, "ignore_fields": ["LastModified", "Size"]}}
    second = run(aws, machines, 2)
    assert changed(aws, compare(machines, first, second)) == [("changed", "b", ["ETag"])]


def test_runs_that_cannot_be_compared(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL, "other": CRAWL}
    bucket("source", {"a": "1"})
    first = run(aws, machines, 1)
    other = run(aws, machines, 2, crawl="other")
    with pytest.raises(InvalidCrawlError) as raised:
        compare(machines, first, other)
    assert str(raised.value) == (
        f"input.changes: {first['run_id']} is a run of c, and {other['run_id']} of other; "
        "name two runs of the same crawl"
    )
    machines.catalogue = {"c": {**CRAWL, "key": "ETag"}}
    second = run(aws, machines, 3)
    with pytest.raises(CannotPublishError) as refused:
        compare(machines, first, second)
    assert str(refused.value) == (
        f"{first['run_id']} and {second['run_id']} cannot be compared: "
        "what their items are, or the keys of these, is not defined in the same way (search, key, ...)"
    )
    for unknown in ([first["run_id"], "nobody"], ["nobody", first["run_id"]]):
        with pytest.raises(InvalidCrawlError) as raised:
            machines.plan({"changes": unknown})
        assert str(raised.value) == (
            'input.changes: there is no run "nobody"; find the run_id in the output of its execution, '
            "or in the table runs"
        )
    machines.started_at = "2126-03-09T00:00:00.000Z"
    running = machines.plan({"crawl": "c"}, "execution-9")["run"]["run_id"]
    with pytest.raises(InvalidCrawlError) as raised:
        machines.plan({"changes": [first["run_id"], running]})
    assert str(raised.value) == (
        f"input.changes: {running} has not ended; wait for it, or resume it, which publishes it too: "
        f'{{"resume": "{running}"}}'
    )
    with pytest.raises(InvalidCrawlError, match=r"^input\.publish: .* has not ended; wait for it"):
        machines.plan({"publish": running})


def test_runs_whose_pages_are_gone_cannot_be_compared(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", {"a": "1"})
    first, second = run(aws, machines, 1), run(aws, machines, 2)
    for key in aws.object_keys(first["items_prefix"].removeprefix(f"s3://{aws.bucket}/")):
        aws.s3.delete_object(Bucket=aws.bucket, Key=key)
    with pytest.raises(CannotPublishError, match="a page of the run is gone"):
        compare(machines, first, second)
    aws.s3.delete_object(Bucket=aws.bucket, Key=f"runs/{first['run_id']}/manifest.json")
    with pytest.raises(CannotPublishError, match="manifest of the run is gone"):
        compare(machines, second, first)


def test_a_comparison_that_has_begun_needs_the_manifests_no_more(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They can be long, and it goes on in many steps."""
    monkeypatch.setenv("MOST_ROWS", "2")
    machines.catalogue = {"c": CRAWL}
    bucket("source", {"a": "1", "b": "1", "c": "1"})
    first = run(aws, machines, 1)
    bucket("source", {"a": "1", "b": "1", "d": "1"})
    second = run(aws, machines, 2)
    asked = machines.plan({"changes": [first["run_id"], second["run_id"]]})["publish"]
    assert publish_run.handler({"state": asked, "execution": "e"}, machines.context)["next"] == "parts"
    for each in (first, second):
        aws.s3.delete_object(Bucket=aws.bucket, Key=f"runs/{each['run_id']}/manifest.json")
    summary = machines.publish(asked)
    assert [(kind, key) for kind, key, _ in changed(aws, summary)] == [("gone", "c"), ("new", "d")]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (
            {"changes": ["a"]},
            'input.changes: invalid value ["a"]; must be the run_ids of two runs, the earlier one first',
        ),
        ({"changes": ["a", "a"]}, "input.changes: invalid value"),
        ({"changes": "a"}, "input.changes: invalid value"),
        ({"changes": ["a", ""]}, "input.changes: invalid value"),
        ({"changes": ["a", "b", "c"]}, "input.changes: invalid value"),
        ({"changes": ["a", 1]}, "input.changes: invalid value"),
        ({"changes": ["a", "b"], "crawl": "c"}, "input.crawl: unknown key"),
        ({"changes": ["a", "b"], "publish": "c"}, "input."),
        ({"publish": ""}, "input.publish: "),
        ({"publish": ["a"]}, "input.publish: "),
        ({"publish": None}, "input.publish: "),
        ({"publish": "a", "mistrust": "off"}, "input.mistrust: unknown key"),
        ({"publish": "nobody"}, 'input.publish: there is no run "nobody"; find the run_id in the output'),
    ],
)
@pytest.mark.usefixtures("aws")
def test_a_wrong_input_says_what_would_be_right(machines: Machines, document: Any, said: str) -> None:
    with pytest.raises(InvalidCrawlError) as raised:
        machines.plan(document)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("_rows")
def test_what_is_not_trusted_is_published_once_a_person_asks(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": {**CRAWL, "mistrust": "20%"}}
    bucket("source", dict.fromkeys("abcdefghij", "1"))
    run(aws, machines, 1)
    bucket("source", dict.fromkeys("abc", "1"))
    red = run(aws, machines, 2)
    assert (red["outcome"], red["published"]["number"]) == ("failed", 0)
    assert keys_of_items(aws) == list("abcdefghij")

    asked = publish(machines, red["run_id"])
    assert (asked["outcome"], asked["published"]["gone"]) == ("succeeded", 7)
    assert keys_of_items(aws) == list("abc")
    assert sorted(row["key"] for row in table_of(aws, asked)) == list("abc")

    # It is what the next run is held against.
    bucket("source", dict.fromkeys("abcd", "1"))
    third = run(aws, machines, 3)
    assert (third["outcome"], third["published"]["new"]) == ("succeeded", 1)
    assert "the last complete run listed 3 on 2126-03-02" in third["message"]
    bucket("source", dict.fromkeys("a", "1"))
    assert run(aws, machines, 4)["outcome"] == "failed"


def keys_of_items(aws: Aws) -> list[str]:
    return [key for key in keys_in_dynamodb(aws) if "#" not in key]


@pytest.mark.usefixtures("_rows")
def test_a_damaged_table_is_as_published_again_once_a_person_asks(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", dict.fromkeys("abcdef", "1"))
    summary = run(aws, machines, 1)
    rows = {row["sk"]["S"]: row for row in aws.rows(aws.items_table)}
    (listing,) = [sk for sk in rows if "#" in sk]
    for key in ("a", listing):
        aws.dynamodb.delete_item(TableName=aws.items_table, Key={name: rows[key][name] for name in ("pk", "sk")})
    aws.dynamodb.put_item(TableName=aws.items_table, Item={**rows["b"], "hash": {"S": "0" * 16}, "item": {"S": "{}"}})
    aws.dynamodb.put_item(TableName=aws.items_table, Item={**rows["c"], "sk": {"S": "z"}})
    aws.dynamodb.put_item(TableName=aws.items_table, Item={**rows["d"], "stale_since": {"S": "2126-01-01T00:00:00Z"}})
    old = {name: value for name, value in rows["e"].items() if name in ("pk", "sk", "item")}
    aws.dynamodb.put_item(TableName=aws.items_table, Item=old)
    # The next run would not notice: nothing has changed.
    run(aws, machines, 2)
    assert keys_of_items(aws) == ["b", "c", "d", "e", "f", "z"]

    asked = publish(machines, summary["run_id"])
    assert (asked["published"]["new"], asked["published"]["changed"], asked["published"]["gone"]) == (0, 0, 0)
    there = {row["sk"]["S"]: row for row in aws.rows(aws.items_table)}
    assert set(there) == set(rows)
    for key, row in there.items():
        of = ("item", "hash", "first_seen", "last_changed", "stale_since", "partition")
        assert {name: row.get(name) for name in of} == {name: rows[key].get(name) for name in of}, key


@pytest.mark.usefixtures("_rows")
def test_to_ask_twice_changes_nothing_more(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", dict.fromkeys("abcde", "1"))
    summary = run(aws, machines, 1)
    rows = aws.rows(aws.items_table)
    asked = publish(machines, summary["run_id"], "execution-2")
    number = asked["published"]["number"]
    assert number == summary["published"]["number"] + 1
    # A redrive of the same execution.
    assert publish(machines, summary["run_id"], "execution-2")["published"] == asked["published"]
    again = publish(machines, summary["run_id"], "execution-3")
    assert again["published"]["number"] == number + 1
    assert aws.rows(aws.items_table) == rows
    assert sorted(row["key"] for row in table_of(aws, again)) == list("abcde")
    assert run(aws, machines, 4)["published"]["new"] == 0


def test_an_older_run_takes_nothing_back_even_if_a_person_asks(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", dict.fromkeys("ab", "1"))
    first = run(aws, machines, 1)
    bucket("source", dict.fromkeys("bc", "1"))
    run(aws, machines, 2)
    asked = publish(machines, first["run_id"])
    assert asked["published"]["kept"] == {"a later run has published it": 1}
    assert keys_of_items(aws) == ["b", "c"]


@pytest.mark.usefixtures("_rows")
def test_to_resume_a_run_that_succeeded_publishes_it_if_it_is_not_published(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", dict.fromkeys("abc", "1"))
    summary = run(aws, machines, 1, publishes=False)
    planned = machines.plan({"resume": summary["run_id"]}, "execution-2")
    assert planned["publish"] == {"run_id": summary["run_id"], "generation": 1}
    published = machines.publish(planned["publish"], "execution-2")
    assert (published["outcome"], published["published"]["new"]) == ("succeeded", 3)
    assert published["message"] == "complete: 3 items on 1 page of 1 target; published 3 new, 0 changed, 0 gone"
    assert published["published"]["asked_by"] == ""
    assert keys_of_items(aws) == list("abc")
    nothing = machines.plan({"resume": summary["run_id"]}, "execution-3")
    assert nothing["nothing_to_do"]["message"].startswith(f"{summary['run_id']} has already succeeded, and nothing is")
    # The crawl is free again.
    machines.running = {"execution-1", "execution-2"}
    assert run(aws, machines, 4)["published"]["new"] == 0


def test_a_run_whose_record_is_gone_while_a_person_waits(aws: Aws, machines: Machines) -> None:
    machines.catalogue = {"c": CRAWL}
    bucket("source", dict.fromkeys("abc", "1"))
    first, second = run(aws, machines, 1), run(aws, machines, 2)
    planned = machines.plan({"changes": [first["run_id"], second["run_id"]]})
    key = {"pk": {"S": f"run#{first['run_id']}"}, "sk": {"S": "run"}}
    aws.dynamodb.delete_item(TableName=aws.runs_table, Key=key)
    assert Stores.of_environment().runs.find(first["run_id"]) is None
    with pytest.raises(CannotPublishError, match=f"the record of run {first['run_id']} is gone"):
        machines.publish(json.loads(json.dumps(planned["publish"])))
