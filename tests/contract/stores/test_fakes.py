"""The fakes behave like moto for the calls that Pageturner makes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from pageturner.page_state import Place, Run, Target
from pageturner.stores.checkpoints import CheckpointStore, PageRecord
from pageturner.stores.item_rows import ListingRow
from pageturner.stores.page_store import Facts, PageStore
from pageturner.stores.run_table import RunTable
from pageturner.stores.runs_and_locks import RunStore
from pageturner.stores.witness_records import Comparison, LastListing, WitnessRecords
from tests.conftest import Aws
from tests.fake_tables import fake_tables
from tests.fakes import FakeDynamoDB, FakeS3
from tests.published_items import CRAWL, SINCE, fences_of, gone, listed, unfenced_table_of

RUN = Run("run-2", "2026-01-01", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", 0)
TARGET = Target("t", "1", "us-east-1", {})
FACTS = Facts("token", None, 1, {"Count": 1})


@pytest.fixture(params=["moto", "fake", "fake tables in moto"])
def clients(request: pytest.FixtureRequest, _no_account: None) -> Iterator[tuple[Any, Any]]:
    if request.param == "fake":
        yield FakeS3(), FakeDynamoDB()
        return
    is_fake = request.param == "fake tables in moto"
    with mock_aws(), fake_tables(Aws.items_table, Aws.runs_table) if is_fake else nullcontext():
        aws = Aws()
        yield aws.s3, aws.dynamodb


def record(key: str) -> dict[str, Any]:
    about = {"crawl": "c", "run_id": RUN.run_id, "account": "1", "region": "r", "target": "t", "page": 1, "pass": 1}
    return {**about, "result_key": "Contents", "key": key, "fetched_at": "2026-01-01T01", "item": f'"{key}"'}


def test_the_first_page_wins(clients: tuple[Any, Any]) -> None:
    store = PageStore(clients[0], "items-bucket")
    first = store.commit(RUN, "c", TARGET, Place(), [record("a")], FACTS)
    second = store.commit(RUN, "c", TARGET, Place(), [record("b")], Facts("other", None, 1, {}))
    assert second == replace(first, is_repeat=True)
    assert first == store.read(first.key)


def test_checkpoints(clients: tuple[Any, Any]) -> None:
    checkpoints = CheckpointStore(RunTable(clients[1], "runs"))
    assert checkpoints.checkpoint(RUN, TARGET.target_id) is None
    for pass_number, page in [(1, 1), (1, 2), (1, 10), (1, 3)]:
        place = Place(pass_number=pass_number, page=page + 1)
        checkpoints.record_page(RUN, PageRecord("t", pass_number, page, 1, 1, "k", place))
    assert checkpoints.checkpoint(RUN, TARGET.target_id) == Place(pass_number=1, page=11)
    assert checkpoints.checkpoint(RUN, "t2") is None


def test_a_pass_begins_only_while_the_run_goes_on(clients: tuple[Any, Any]) -> None:
    table = RunTable(clients[1], "runs")
    checkpoints, runs = CheckpointStore(table), RunStore(table)
    resumed = replace(RUN, generation=2)

    def begins(run: Run, pass_number: int) -> tuple[bool, bool]:
        found = checkpoints.begin_pass(run, TARGET, Place(pass_number=pass_number))
        checkpoint = checkpoints.checkpoint(run, TARGET.target_id)
        return found, checkpoint is not None and checkpoint.pass_number == pass_number

    assert begins(RUN, 1) == (False, False), "there is no such run"
    assert runs.begin(RUN, {"name": "c"}, 1, "plan", as_catalogued=True, source=None)
    assert begins(RUN, 2) == (True, True)
    assert begins(resumed, 3) == (False, False)
    assert runs.finish(RUN, {})
    assert begins(RUN, 4) == (False, False), "it has ended"
    assert checkpoints.begin_anew(RUN, TARGET, Place(pass_number=5))
    assert runs.resume(resumed, {}, "plan 2")
    assert begins(RUN, 6) == (False, False), "it was resumed"
    assert not checkpoints.begin_anew(RUN, TARGET, Place(pass_number=7))
    assert begins(resumed, 8) == (True, True)


def test_comparisons_are_written_in_batches(clients: tuple[Any, Any]) -> None:
    records = WitnessRecords(RunTable(clients[1], "runs"))
    written = {(f"t{n}", n): Comparison(n, LastListing(n, "run-1", "2025") if n % 2 else None) for n in range(60)}
    records.compare(RUN, written)
    changed = {("t1", 1): Comparison(1, None, "why"), ("t1", 2): Comparison(5)}
    records.compare(RUN, changed)
    records.compare(RUN, {})
    everything = sorted((written | changed).items())
    found = [((of, last), comparison) for of, (last, comparison) in records.comparisons(RUN)]
    assert found == everything
    behind = [((of, last), comparison) for of, (last, comparison) in records.comparisons(RUN, "t1")]
    assert behind == [each for each in everything if each[0][0] > "t1"]


def test_items_and_fences(both: tuple[Aws, FakeS3, FakeDynamoDB]) -> None:
    aws, _, fake = both
    marking = replace(CRAWL, stale_items="mark", time_to_live=2)
    listings = {"l1": ListingRow("1", "r", {"Bucket": "b"})}
    found = []
    for client in (aws.dynamodb, fake):
        fences, items = fences_of(client), unfenced_table_of(client)
        steps: list[Any] = [
            fences.put_up("roles", 1),
            items.tell(marking, 1, [listed("a"), listed("b")], 0, SINCE),
            items.tell_listings("roles", 1, listings, {}),
            fences.put_up("roles", 2),
            items.tell(marking, 1, [gone("a")], 7, SINCE),
            items.tell(marking, 2, [gone("absent"), gone("a")], 7, SINCE),
            fences.put_up("roles", 1),
            list(items.rows_there("roles", "l1")),
            list(items.listings_there("roles")),
            items.tell(CRAWL, 2, [gone("b"), gone("absent")], 0, SINCE),
            items.tell_listings("roles", 2, {}, listings),
            list(items.listings_there("roles")),
        ]
        found.append((steps, rows(client, "items", "roles#l1"), rows(client, "runs", "fence#roles")))
    assert found[0] == found[1]
    assert found[0][0][:7] == [True, True, True, True, False, True, False]


def test_tables_are_described(both: tuple[Aws, FakeS3, FakeDynamoDB]) -> None:
    aws, _, fake = both
    theirs, own = (client.describe_table(TableName="items")["Table"] for client in (aws.dynamodb, fake))
    assert {name: type(value) for name, value in own.items()} == {name: type(theirs[name]) for name in own}


ROW: dict[str, Any] = {
    "pk": {"S": "p"},
    "sk": {"S": "s"},
    "started_at": {"S": "2026-01-02"},
    "generation": {"N": "10"},
    "pass": {"N": "2"},
    "done_in": {"SS": ["one", "two"]},
}
VALUES: dict[str, Any] = {
    ":early": {"S": "2026-01-01"},
    ":same": {"S": "2026-01-02"},
    ":nine": {"N": "9"},
    ":ten": {"N": "10"},
    ":one": {"S": "one"},
    ":three": {"S": "three"},
    ":set": {"SS": ["two", "three"]},
    ":both": {"SS": ["one", "two"]},
}
NAMES = {"#pass": "pass"}
CONDITIONS = [
    "attribute_exists(pk)",
    "attribute_not_exists(pk)",
    "attribute_not_exists(pk) OR started_at < :early",
    "attribute_not_exists(pk) OR started_at = :same OR generation < :nine",
    "started_at <> :early",
    "started_at > :early AND generation >= :ten",
    "started_at <= :early AND generation >= :ten OR #pass < :nine",
    "started_at <= :early AND (generation >= :ten OR #pass < :nine)",
    "NOT contains(done_in, :one)",
    "NOT contains(done_in, :three)",
    "NOT (generation = :ten AND started_at = :same)",
    "contains(started_at, :same) AND begins_with(started_at, :same)",
    "begins_with(started_at, :one)",
    "generation > :nine",
    "generation IN (:nine, :ten)",
    "started_at IN (:one, :three)",
    "absent = :one",
    "absent <> :one",
    "absent < :one",
    "generation = :one",
]
UPDATES = [
    "SET started_at = :early, absent = :ten REMOVE generation",
    "SET started_at = if_not_exists(started_at, :early), absent = if_not_exists(absent, :early)",
    "SET generation = generation + :nine",
    "SET generation = if_not_exists(absent, :nine) + :ten",
    "ADD generation :nine, absent :ten",
    "ADD done_in :set, absent :set SET started_at = :same",
    "DELETE done_in :set",
    "DELETE done_in :both REMOVE #pass",
]


def used(*expressions: str) -> dict[str, Any]:
    words = set(re.findall(r"[:#]\w+", " ".join(expressions)))
    found: dict[str, Any] = {"ExpressionAttributeValues": {name: VALUES[name] for name in words if name in VALUES}}
    if names := {name: NAMES[name] for name in words if name in NAMES}:
        found["ExpressionAttributeNames"] = names
    return {name: value for name, value in found.items() if value}


@pytest.fixture
def both(_no_account: None) -> Iterator[tuple[Aws, FakeS3, FakeDynamoDB]]:
    with mock_aws():
        yield Aws(), FakeS3(), FakeDynamoDB()


def outcome(client: Any, operation: str, request: Mapping[str, Any]) -> Any:
    """What a request raises, or that it succeeded."""
    try:
        getattr(client, operation)(**request)
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", [])]
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"], reasons
    return "done"


KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}


def conditional(condition: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every request that can have this condition."""
    on = {"TableName": "items", "ConditionExpression": condition, **used(condition)}
    yield "put_item", {"Item": {**KEY, "k": {"S": ""}}, **on}
    yield "update_item", {"Key": KEY, "UpdateExpression": "REMOVE k", **on}
    yield "delete_item", {"Key": KEY, **on}
    put = {"Put": {"TableName": "items", "Item": {**KEY, "sk": {"S": "other"}}}}
    yield "transact_write_items", {"TransactItems": [put, {"ConditionCheck": {"Key": KEY, **on}}]}


@pytest.mark.parametrize("there", [True, False])
def test_conditions(both: tuple[Aws, FakeS3, FakeDynamoDB], there: bool) -> None:
    aws, _, fake = both
    seen = set()
    for condition in CONDITIONS:
        for operation, request in conditional(condition):
            for client in (aws.dynamodb, fake):
                if there:
                    client.put_item(TableName="items", Item=ROW)
                else:
                    client.delete_item(TableName="items", Key=KEY)
            found = [outcome(client, operation, request) for client in (aws.dynamodb, fake)]
            assert found[0] == found[1], (condition, operation)
            assert rows(aws.dynamodb) == rows(fake), (condition, operation)
            seen.add((operation, str(found[0])))
    assert len(seen) == 8, "each kind of request succeeded, and was refused"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("update", UPDATES)
def test_updates(both: tuple[Aws, FakeS3, FakeDynamoDB], update: str, there: bool) -> None:
    aws, _, fake = both
    found = []
    for client in (aws.dynamodb, fake):
        if there:
            client.put_item(TableName="items", Item=ROW)
        request = {"TableName": "items", "Key": KEY, "UpdateExpression": update, **used(update)}
        found.append(outcome(client, "update_item", request))
    assert found[0] == found[1]
    assert rows(aws.dynamodb) == rows(fake)


def rows(client: Any, table: str = "items", partition: str = "p") -> list[dict[str, Any]]:
    found = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
        ConsistentRead=True,
    )["Items"]
    return [
        {
            name: {kind: sorted(plain) if kind == "SS" else plain for kind, plain in value.items()}
            for name, value in row.items()
        }
        for row in found
    ]


def test_a_transaction_writes_all_or_nothing(both: tuple[Aws, FakeS3, FakeDynamoDB]) -> None:
    aws, _, fake = both
    row = {"pk": {"S": "p"}, "sk": {"S": "a"}}

    def writes(*keys: str) -> dict[str, Any]:
        puts = [{"TableName": "items", "Item": {**row, "sk": {"S": key}}} for key in keys]
        return {"TransactItems": [{"Put": {**put, "ConditionExpression": "attribute_not_exists(pk)"}} for put in puts]}

    for keys in (["a", "b"], ["c", "a"], ["d", "d"]):
        found = [outcome(client, "transact_write_items", writes(*keys)) for client in (aws.dynamodb, fake)]
        assert found[0] == found[1]
        assert rows(aws.dynamodb) == rows(fake)
    assert [each["sk"]["S"] for each in rows(fake)] == ["a", "b"]
    for client in (aws.dynamodb, fake):
        change = {"UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"N": "1"}}}
        client.transact_write_items(
            TransactItems=[
                {"Update": {"TableName": "items", "Key": {**row, "sk": {"S": "e"}}, **change}},
                {"Delete": {"TableName": "items", "Key": row}},
            ]
        )
    assert rows(aws.dynamodb) == rows(fake)


def test_reads(both: tuple[Aws, FakeS3, FakeDynamoDB]) -> None:
    aws, _, fake = both
    for client in (aws.dynamodb, fake):
        for sk in ("a#1", "a#2", "a#3", "b#1"):
            client.put_item(TableName="runs", Item={"pk": {"S": "p"}, "sk": {"S": sk}, "pass": {"N": "1"}})
        client.put_item(TableName="runs", Item={"pk": {"S": "q"}, "sk": {"S": "a#9"}})
    in_a = {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :sk)",
        "ExpressionAttributeValues": {":pk": {"S": "p"}, ":sk": {"S": "a#"}},
    }
    behind = {
        "KeyConditionExpression": "pk = :pk AND sk > :sk",
        "ExpressionAttributeValues": {":pk": {"S": "p"}, ":sk": {"S": "a#2"}},
    }
    few = {"ProjectionExpression": "sk, #pass", "ExpressionAttributeNames": {"#pass": "pass"}}
    for request in (
        in_a,
        {**in_a, "ScanIndexForward": False, "Limit": 1},
        {**in_a, "Limit": 2},
        {**in_a, "Limit": 2, "ExclusiveStartKey": {"pk": {"S": "p"}, "sk": {"S": "a#2"}}},
        {**in_a, **few},
        {**in_a, **few, "Limit": 1},
        {**behind, "Limit": 5},
    ):
        theirs, own = (client.query(TableName="runs", **request) for client in (aws.dynamodb, fake))
        for name in ("Items", "Count", "LastEvaluatedKey"):
            assert own.get(name) == theirs.get(name), request
    for sk in ("a#1", "absent"):
        key = {"pk": {"S": "p"}, "sk": {"S": sk}}
        theirs, own = (client.get_item(TableName="runs", Key=key) for client in (aws.dynamodb, fake))
        assert own.get("Item") == theirs.get("Item")
    keys = [{"pk": {"S": "p"}, "sk": {"S": sk}} for sk in ("b#1", "absent")]
    theirs, own = (client.batch_get_item(RequestItems={"runs": {"Keys": keys}}) for client in (aws.dynamodb, fake))
    assert own["Responses"] == theirs["Responses"]


def test_objects(both: tuple[Aws, FakeS3, FakeDynamoDB]) -> None:
    aws, fake, _ = both
    etag = aws.s3.put_object(Bucket=aws.bucket, Key="other", Body=b"a")["ETag"]
    for operation, more in (
        ("head_object", {}),
        ("get_object", {}),
        ("put_object", {"Body": b"a", "IfMatch": etag}),
        ("put_object", {"Body": b"a", "IfNoneMatch": "*"}),
        ("put_object", {"Body": b"b", "IfNoneMatch": "*"}),
        ("put_object", {"Body": b"b", "Metadata": {"m": "1"}, "IfMatch": etag}),
        ("put_object", {"Body": b"c", "IfMatch": etag}),
        ("head_object", {}),
        ("put_object_tagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        ("delete_object", {}),
        ("delete_object", {}),
        ("put_object_tagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        ("put_object", {"Body": b"[\n1,\n2\n]", "Metadata": {"n": "2"}}),
    ):
        request = {"Bucket": aws.bucket, "Key": "k", **more}
        found = [outcome(client, operation, request) for client in (aws.s3, fake)]
        assert found[0] == found[1], request
    theirs, own = (client.get_object(Bucket=aws.bucket, Key="k") for client in (aws.s3, fake))
    assert [own[name] for name in ("ETag", "Metadata")] == [theirs[name] for name in ("ETag", "Metadata")]
    assert list(own["Body"].iter_lines()) == list(theirs["Body"].iter_lines())


def test_the_fake_refuses_what_it_does_not_know(both: tuple[Aws, FakeS3, FakeDynamoDB]) -> None:
    aws, s3, dynamodb = both
    with pytest.raises(TypeError):
        s3.put_object(Bucket=aws.bucket, Key="k", Body=b"", StorageClass="x")  # type: ignore[call-arg]
    for more in (
        {"ConditionExpression": "size(pk) > :one", "ExpressionAttributeValues": {":one": {"N": "1"}}},
        {"ConditionExpression": "pk = :one", "ExpressionAttributeValues": {":one": {"N": "1"}, ":two": {"N": "2"}}},
        {"ReturnValues": "ALL_OLD"},
    ):
        with pytest.raises(AssertionError):
            dynamodb.put_item(TableName="items", Item=ROW, **more)
