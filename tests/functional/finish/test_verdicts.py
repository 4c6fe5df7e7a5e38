"""The verdicts of targets and runs, and what the manifest and the summary say about them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.reference import REFERENCE
from pageturner import clients
from pageturner.errors import ThrottledError
from pageturner.page_state import FROM_CHECKPOINT
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import CRAWL, entry, target_of, verdict_of


@pytest.mark.usefixtures("source")
def test_every_field_of_output_and_manifest_is_in_the_reference(aws: Aws, machines: Machines) -> None:
    reference = REFERENCE.read_text(encoding="utf-8")
    summary = machines.run(aws, {"crawl": "c", "split": 2})
    limited = machines.run(aws, {"crawl": "c", "pagination_config": {"MaxItems": 1}}, "execution-2")
    planned = machines.plan({"crawl": "c"}, "execution-3")
    unfinished = machines.finish(planned)
    names = {*summary}
    for run in (summary, limited, unfinished):
        manifest = aws.json(f"runs/{run['run_id']}/manifest.json")
        names |= {*manifest, *(name for each in [*manifest["files"], *manifest["targets"]] for name in each)}
    assert {"part", "resume_token"} <= names
    assert [name for name in sorted(names) if f"`{name}`" not in reference] == []


@pytest.mark.usefixtures("source")
def test_the_manifest_first_says_how_the_run_ended(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c", "regions": ["us-east-1", "eu-west-1"]})
    whole, cut = aws.json(planned["targets"]["key"])
    machines.turn_all(planned, whole)
    machines.fetch(planned, cut, FROM_CHECKPOINT)
    summary = machines.finish(planned)
    manifest = aws.json(f"runs/{summary['run_id']}/manifest.json")
    head = list(manifest)[: list(manifest).index("crawl")]
    assert head[:5] == ["run_id", "verdict", "outcome", "message", "verdicts"]
    assert {"pages", "items", "bytes", "started_at", "ended_at"} <= {*head}
    assert list(manifest)[len(head) :] == ["crawl", "timeline", "format", "files", "targets"]
    assert (manifest["verdict"], manifest["outcome"]) == ("incomplete", "failed")
    assert manifest["verdicts"] == summary["targets"] == {"complete": 1, "unfinished": 1}
    assert {name: manifest[name] for name in head if name in summary and name != "verdicts"} == {
        name: summary[name] for name in head if name in summary
    }
    # Who reads nothing but the files sees it too.
    assert [(file["target_id"], file["verdict"]) for file in manifest["files"]] == [
        *[(cut["target_id"], "unfinished")] * 1,
        *[(whole["target_id"], "complete")] * 4,
    ]


@pytest.mark.usefixtures("source")
def test_a_run_that_was_cut_off_has_no_manifest_and_a_resumed_one_a_new_one(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    run_id = planned["run"]["run_id"]
    assert f"runs/{run_id}/manifest.json" not in aws.object_keys("runs/")
    assert machines.finish(planned)["verdict"] == "incomplete"
    machines.run(aws, {"resume": run_id}, "execution-2")
    manifest = aws.json(f"runs/{run_id}/manifest.json")
    assert (manifest["verdict"], len(manifest["files"])) == ("complete", 4)


@pytest.mark.usefixtures("source")
def test_a_listing_of_which_a_page_is_not_on_record_is_not_complete(aws: Aws, machines: Machines) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    machines.turn_all(planned, target)
    (second,) = [row for row in aws.rows(aws.runs_table) if row["sk"]["S"].endswith("#0001#00000002")]
    aws.dynamodb.delete_item(TableName=aws.runs_table, Key={"pk": second["pk"], "sk": second["sk"]})
    summary = machines.finish(planned)
    assert (summary["outcome"], summary["targets"], summary["pages"]) == ("failed", {"unfinished": 1}, 3)
    assert "PagesMissing: the records of 1 page are missing from the runs table" in summary["message"]


@pytest.mark.usefixtures("source")
def test_a_throttled_target_says_how_often_and_what_the_service_said_last(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    for said in ("Reduce", "Please reduce your request rate. " * 20):
        answer: Any = {"Error": {"Code": "SlowDown", "Message": said}}

        def throttled(answer: Any = answer, **_: Any) -> Any:
            raise ClientError(answer, "ListObjectsV2")

        monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", throttled)
        with pytest.raises(ThrottledError):
            machines.fetch(planned, target, FROM_CHECKPOINT)
    found = entry(aws, machines.finish(planned))
    said = "An error occurred (SlowDown) when calling the ListObjectsV2 operation: Please reduce your request rate."
    assert (found["throttles"], found["last_throttle"][: len(said)]) == (2, said)
    assert len(found["last_throttle"]) == 300


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("tolerance", "verdict", "outcome"),
    [
        ({}, "denied", "failed"),
        ({"tolerate": ["denied"]}, "denied", "succeeded"),
        ({"tolerate": ["denied"]}, "failed", "failed"),
        ({"ignore_errors": ["NoSuchBucket"]}, "failed", "succeeded"),
        ({"ignore_errors": ["NotFoundError"]}, "failed", "succeeded"),
        ({"ignore_errors": ["AccessDenied"]}, "failed", "failed"),
    ],
)
def test_what_a_crawl_tolerates(
    tolerance: dict[str, Any], verdict: str, outcome: str, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"c": {**CRAWL, **tolerance}}
    planned = machines.plan({"crawl": "c"})
    verdict_of(aws, planned, verdict, "NotFoundError", "An error occurred (NoSuchBucket) when calling X: gone")
    summary = machines.finish(planned)
    assert summary["outcome"] == outcome
    assert summary["targets"] == {verdict: 1}


OWN = "could not write s3://own/k: An error occurred (AccessDenied) when calling the PutObject operation: denied"
ROLE = "An error occurred (AccessDenied) when calling the AssumeRole operation: not authorized"


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("verdict", "error", "cause"),
    [
        ("unfinished", "SinkError", OWN),
        ("unfinished", "DeploymentDeniedError", OWN),
        ("denied", "AccessDeniedError", ROLE),
    ],
)
def test_the_codes_to_ignore_are_those_of_the_operation_and_nobody_elses(
    verdict: str, error: str, cause: str, aws: Aws, machines: Machines
) -> None:
    machines.catalogue = {"c": {**CRAWL, "ignore_errors": ["AccessDenied"]}}
    planned = machines.plan({"crawl": "c"})
    verdict_of(aws, planned, verdict, error, cause)
    assert machines.finish(planned)["outcome"] == "failed"


@pytest.mark.usefixtures("source")
def test_a_target_says_all_that_is_known_of_it(aws: Aws, machines: Machines) -> None:
    summary = machines.run(aws, {"crawl": "c"})
    found = entry(aws, summary)
    assert {name: found[name] for name in ("verdict", "pages", "items", "restarts", "throttles")} == {
        "verdict": "complete",
        "pages": 4,
        "items": 35,
        "restarts": 0,
        "throttles": 0,
    }
    assert found["first_page_at"] <= found["last_page_at"]
    assert len(found["first_token_hash"]) == len(found["last_token_hash"]) == 16
    assert found["first_token_hash"] != found["last_token_hash"]
