"""`mistrust`: a listing that has so much less than before, or than was counted, is red."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pageturner import clients
from pageturner.crawls.catalogue import parse_resume
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError
from tests.conftest import Aws, Machines
from tests.functional.finish.test_witnesses import asked, cloudwatch_counts
from tests.published import publish_as_it_is, run_and_publish
from tests.runs_of_a_bucket import CRAWL, KEYS, LATER, entry, keys_by_manifest, run_again, target_of

FEWER = KEYS[:20]


def only_twenty_are_left(aws: Aws) -> None:
    for key in KEYS[20:]:
        aws.s3.delete_object(Bucket="source", Key=key)


@pytest.mark.usefixtures("source")
def test_a_listing_that_has_far_less_than_the_last_one_is_red_until_a_person_says_that_it_is_true(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_and_publish(aws, machines)
    only_twenty_are_left(aws)
    summary = run_again(aws, machines, mistrust="20%")
    assert (summary["outcome"], summary["targets"]) == ("failed", {"failed": 1})
    found = entry(aws, summary)
    assert (found["verdict"], found["error"]) == ("failed", "MistrustedListingError")
    assert found["witness"]["count"] == 35
    said = "the listing has 20 items, but the last complete run listed 35 on 2126-02-03, and mistrust is 20%"
    assert f"MistrustedListingError: {said}." in summary["message"]
    assert summary["message"].count("listed 35") == 1
    assert summary["message"].endswith(
        "Then resume the run: start a new execution with the input "
        f'{{"resume": "{summary["run_id"]}", "mistrust": "off"}}'
    )
    # What to type next stays the end of the sentence.
    assert machines.publish(summary)["message"] == summary["message"]

    # Without `off`, it stays so.
    again = machines.run(aws, {"resume": summary["run_id"]}, "execution-3")
    assert again["targets"] == {"failed": 1}

    def not_again(**_: Any) -> Any:
        raise AssertionError("nothing is listed again")

    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", not_again)
    resumed = machines.run(aws, {"resume": summary["run_id"], "mistrust": "off"}, "execution-4")
    assert (resumed["outcome"], resumed["targets"]) == ("succeeded", {"complete": 1})
    assert keys_by_manifest(aws, resumed) == FEWER


@pytest.mark.usefixtures("source")
def test_what_is_not_trusted_is_no_measure_for_the_next_run_and_what_was_confirmed_is(
    aws: Aws, machines: Machines
) -> None:
    run_and_publish(aws, machines)
    only_twenty_are_left(aws)
    first = run_again(aws, machines, mistrust="20%")
    machines.started_at = "2127-02-01T00:00:00.000Z"
    second = machines.run(aws, {"crawl": "c"}, "execution-3")
    assert second["targets"] == first["targets"] == {"failed": 1}
    assert "the last complete run listed 35" in second["message"]
    publish_as_it_is(second["run_id"])
    machines.run(aws, {"resume": second["run_id"], "mistrust": "off"}, "execution-4")
    publish_as_it_is(second["run_id"])
    machines.started_at = "2127-03-01T00:00:00.000Z"
    third = machines.run(aws, {"crawl": "c"}, "execution-5")
    assert third["targets"] == {"complete": 1}
    assert "the last complete run listed 20" in third["message"]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("mistrust", "left", "verdict"),
    [("20%", 28, "failed"), ("20%", 29, "complete"), ("off", 1, "complete"), ("50%", 18, "complete")],
)
def test_the_share_is_exact(mistrust: str, left: int, verdict: str, aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    for key in KEYS[left:]:
        aws.s3.delete_object(Bucket="source", Key=key)
    assert run_again(aws, machines, mistrust=mistrust)["targets"] == {verdict: 1}


@pytest.mark.usefixtures("source")
def test_a_first_run_is_held_against_its_witness(aws: Aws, machines: Machines) -> None:
    cloudwatch_counts(70)
    machines.catalogue = {"c": {**CRAWL, "mistrust": "20%"}}
    summary = machines.run(aws, {"crawl": "c"})
    assert summary["targets"] == {"failed": 1}
    assert "the listing has 35 items, but CloudWatch counted 70 on 20" in summary["message"]


@pytest.mark.usefixtures("source")
def test_who_also_counts_versions_is_no_measure_once_there_is_a_complete_run(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    cloudwatch_counts(70)
    summary = run_again(aws, machines, mistrust="20%")
    assert summary["targets"] == {"complete": 1}
    assert "but CloudWatch counted 70" in summary["message"]


def test_a_witness_that_counts_the_same_is_a_measure_in_every_run(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"c": {"service": "iam", "operation": "list_users", "mistrust": "20%"}}
    clients.client("iam", "us-east-1").create_user(UserName="one")
    assert machines.run(aws, {"crawl": "c"})["targets"] == {"complete": 1}
    asked(monkeypatch, "iam", "get_account_summary", {"SummaryMap": {"Users": 2}})
    machines.started_at = "2127-01-01T00:00:00.000Z"
    summary = machines.run(aws, {"crawl": "c"}, "execution-2")
    assert "the listing has 1 item, but IAM counted 2 on 20" in summary["message"]


@pytest.fixture
def two(source: None, aws: Aws, machines: Machines) -> None:
    """A crawl of the bucket `source` and of another one, which is empty."""
    aws.s3.create_bucket(Bucket="other")
    crawl = {name: value for name, value in CRAWL.items() if name != "parameters"}
    buckets = [{"Bucket": "source"}, {"Bucket": "other"}]
    machines.catalogue = {"c": {**crawl, "mistrust": "20%", "for_each": {"list": buckets}}}


def only_source(aws: Aws, machines: Machines) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run of which only the bucket `source` has been listed: its plan and that target."""
    planned = machines.plan({"crawl": "c"}, f"execution-{machines.started_at}")
    source, _ = aws.json(f"runs/{planned['run']['run_id']}/targets.json")
    assert source["parameters"] == {"Bucket": "source"}
    machines.turn_all(planned, source)
    return planned, source


@pytest.mark.usefixtures("two")
def test_a_later_pass_of_a_run_is_held_against_the_earlier_one(aws: Aws, machines: Machines) -> None:
    planned, source = only_source(aws, machines)
    assert machines.finish(planned)["targets"] == {"complete": 1, "unfinished": 1}
    publish_as_it_is(planned["run"]["run_id"])
    (page,) = [row for row in aws.rows(aws.runs_table) if row["sk"]["S"] == f"page#{source['target_id']}#0001#00000002"]
    aws.dynamodb.delete_item(TableName=aws.runs_table, Key={name: page[name] for name in ("pk", "sk")})
    only_twenty_are_left(aws)
    resumed = machines.run(aws, {"resume": planned["run"]["run_id"]}, "execution-2")
    assert resumed["targets"] == {"complete": 1, "failed": 1}
    assert "the listing has 20 items, but the last complete run listed 35" in resumed["message"]


@pytest.mark.usefixtures("two")
def test_what_a_run_has_published_is_trusted_and_not_compared_with_itself(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    for key in KEYS[29:]:
        aws.s3.delete_object(Bucket="source", Key=key)
    machines.started_at = LATER
    planned, _ = only_source(aws, machines)
    run_id = planned["run"]["run_id"]
    machines.finish(planned)
    publish_as_it_is(run_id)
    resumed = machines.run(aws, {"resume": run_id, "mistrust": "1%"}, "execution-3")
    assert resumed["targets"] == {"complete": 2}
    targets = aws.json(f"runs/{run_id}/manifest.json")["targets"]
    (witness,) = [each["witness"] for each in targets if each["parameters"]["Bucket"] == "source"]
    assert (witness["count"], witness["listed"], witness["at"]) == (35, 29, "2126-02-03T04:05:06.789Z")


@pytest.mark.usefixtures("source")
def test_a_listing_of_which_a_page_is_not_on_record_is_not_compared(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    machines.started_at = LATER
    planned = machines.plan({"crawl": "c"}, "execution-2")
    machines.turn_all(planned, target_of(aws, planned))
    key = {"pk": {"S": f"run#{planned['run']['run_id']}"}}
    key["sk"] = {"S": f"page#{target_of(aws, planned)['target_id']}#0001#00000002"}
    aws.dynamodb.delete_item(TableName=aws.runs_table, Key=key)
    summary = machines.finish(planned)
    assert (entry(aws, summary)["error"], entry(aws, summary)["witness"]["count"]) == ("PagesMissing", None)


@pytest.mark.usefixtures("source")
def test_a_listing_that_was_never_complete_is_no_measure(aws: Aws, machines: Machines) -> None:
    run_id = run_and_publish(aws, machines)["run_id"]
    key = "published/c/1.json"
    published = aws.json(key)
    for listing in published["listings"].values():
        listing["is_complete"] = False
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=json.dumps(published))
    only_twenty_are_left(aws)
    summary = run_again(aws, machines, mistrust="20%")
    assert (summary["targets"], entry(aws, summary)["witness"]["count"]) == ({"complete": 1}, None)
    assert summary["run_id"] != run_id


@pytest.mark.usefixtures("source")
def test_a_run_is_not_held_against_one_that_began_later(aws: Aws, machines: Machines) -> None:
    changes = {"mistrust": "20%", "overlap": "allow"}
    machines.catalogue = {"c": {**CRAWL, **changes}}
    older = machines.plan({"crawl": "c"})
    target = target_of(aws, older)
    machines.turn_all(older, target)
    aws.put_objects("source", [f"key-{number:03}" for number in range(35, 70)])
    newer = run_again(aws, machines, **changes)
    assert newer["targets"] == {"complete": 1}
    publish_as_it_is(newer["run_id"])
    summary = machines.finish(older)
    assert summary["targets"] == {"complete": 1}
    assert entry(aws, summary)["witness"]["who"] != "the last complete run"


@pytest.mark.usefixtures("source")
def test_a_split_listing_is_judged_as_a_whole(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    only_twenty_are_left(aws)
    summary = run_again(aws, machines, mistrust="20%", split=2)
    assert summary["targets"] == {"failed": 2}
    assert "the listing has 20 items, but the last complete run listed 35" in summary["message"]
    resumed = machines.run(aws, {"resume": summary["run_id"], "mistrust": "off"}, "execution-3")
    assert resumed["targets"] == {"complete": 2}


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("allow_empty", "verdict"), [(True, "complete"), (False, "failed")])
def test_an_empty_listing_is_mistrusted_unless_it_may_be_empty(
    allow_empty: bool, verdict: str, aws: Aws, machines: Machines
) -> None:
    run_and_publish(aws, machines)
    for key in KEYS:
        aws.s3.delete_object(Bucket="source", Key=key)
    summary = run_again(aws, machines, mistrust="20%", allow_empty=allow_empty)
    assert summary["targets"] == {verdict: 1}


@pytest.mark.usefixtures("two")
def test_whoever_resumes_the_run_for_another_target_does_not_trust_the_listing(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    only_twenty_are_left(aws)
    machines.started_at = LATER
    planned, _ = only_source(aws, machines)
    summary = machines.finish(planned)
    assert summary["targets"] == {"failed": 1, "unfinished": 1}
    assert 'If so much is really gone, resume the run with "mistrust": "off"' in summary["message"]
    assert summary["message"].endswith(
        "Then resume the run, which can complete 1 of them: redrive its execution, or start a new one with the input "
        f'{{"resume": "{summary["run_id"]}"}}'
    )


@pytest.mark.usefixtures("source")
def test_a_tolerated_one_is_red_all_the_same(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    only_twenty_are_left(aws)
    summary = run_again(aws, machines, mistrust="20%", tolerate=["failed"])
    assert (summary["outcome"], summary["targets"]) == ("succeeded", {"failed": 1})


@pytest.mark.usefixtures("source")
def test_a_listing_of_other_items_is_not_compared(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    summary = run_again(aws, machines, mistrust="20%", search="Contents[:1]")
    assert summary["targets"] == {"complete": 1}


def test_what_mistrust_can_be() -> None:
    assert [Crawl("c", "s3", "list_buckets", mistrust=value).mistrusted_share for value in ("off", False, "20%")] == [
        None,
        None,
        0.2,
    ]
    for value in ("off", False, "1%", "12.5%", "100%"):
        parse_resume({"resume": "x", "mistrust": value})
    for wrong in ("0%", "101%", "20", 20, 0.2, True, "-5%"):
        with pytest.raises(InvalidCrawlError, match='must be a percentage, like "20%", or "off"'):
            parse_resume({"resume": "x", "mistrust": wrong})


@pytest.mark.usefixtures("source")
def test_a_comparison_that_is_written_late_no_longer_decides(aws: Aws, machines: Machines) -> None:
    run_and_publish(aws, machines)
    only_twenty_are_left(aws)
    red = run_again(aws, machines, mistrust="20%")
    (written,) = [row for row in aws.rows(aws.runs_table) if _is_comparison_of(row, red)]
    planned = machines.plan({"resume": red["run_id"], "mistrust": "off"}, "execution-3")
    target = target_of(aws, planned)
    machines.turn_all(planned, target)
    aws.dynamodb.put_item(TableName=aws.runs_table, Item=written)
    assert machines.finish(planned)["targets"] == {"complete": 1}


def _is_comparison_of(row: Mapping[str, Any], summary: Mapping[str, Any]) -> bool:
    return bool(row["pk"]["S"] == f"run#{summary['run_id']}" and row["sk"]["S"].startswith("comparison#"))
