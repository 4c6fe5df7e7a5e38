"""Where a resumed target begins: at its checkpoint, or with a new pass if its token or its records are of no use."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner import clients
from pageturner.errors import TooManyRestartsError
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.turn.stop_check import StopCheck
from pageturner.verdicts import PAGES_MISSING
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import (
    CRAWL,
    KEYS,
    UNORDERED,
    entry,
    expired_token,
    keys_by_manifest,
    target_of,
    verdict_of,
)

MANY = 1000


def tokens_sent(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Record the token of each request from now on."""
    client = clients.client("s3", "us-east-1")
    whole, sent = client.list_objects_v2, []

    def list_objects_v2(**arguments: Any) -> Any:
        sent.append(arguments.get("ContinuationToken"))
        return whole(**arguments)

    monkeypatch.setattr(client, "list_objects_v2", list_objects_v2)
    return sent


def used_up(aws: Aws, machines: Machines) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run whose target has used up its restarts: its plan and its summary."""
    machines.catalogue = {"c": UNORDERED}
    planned = machines.plan({"crawl": "c"})
    with pytest.MonkeyPatch.context() as patch:
        expired_token(patch, MANY)
        with pytest.raises(TooManyRestartsError) as raised:
            machines.turn_all(planned, target_of(aws, planned))
    verdict_of(aws, planned, "failed", "TooManyRestartsError", str(raised.value))
    return planned, machines.finish(planned)


@pytest.mark.usefixtures("source")
def test_a_target_whose_tokens_did_not_last_begins_anew_with_all_restarts_left(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, failed = used_up(aws, machines)
    again = machines.plan({"resume": failed["run_id"]}, "execution-2")
    expired_token(monkeypatch, 3)
    sent = tokens_sent(monkeypatch)
    end = machines.turn_all(again, target_of(aws, again))[-1]
    assert sent[0] is None, "the dead token is not sent again"
    assert (end["pass_number"], end["verdict"]) == (8, "complete")
    summary = machines.finish(again)
    assert keys_by_manifest(aws, summary) == KEYS
    # A page is listed, and stands in the manifest, only once.
    assert len(aws.json(f"runs/{summary['run_id']}/manifest.json")["files"]) == 4


@pytest.mark.usefixtures("source")
def test_the_restarts_of_a_resumed_target_end_too(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, failed = used_up(aws, machines)
    again = machines.plan({"resume": failed["run_id"]}, "execution-2")
    expired_token(monkeypatch, MANY)
    with pytest.raises(TooManyRestartsError, match="after 3 restarts"):
        machines.turn_all(again, target_of(aws, again))


@pytest.mark.usefixtures("source")
def test_a_late_invocation_of_the_old_execution_does_not_reach_the_new_pass(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It looked whether its execution still drives the run just before that ended.
    monkeypatch.setattr(StopCheck, "check", lambda *_: None)
    planned, failed = used_up(aws, machines)
    old = machines.fetch(planned, target_of(aws, planned), {"pass_number": 4, "page": 1})
    again = machines.plan({"resume": failed["run_id"]}, "execution-2")
    target = target_of(aws, again)
    # It still turns a page, now that the token is accepted, and moves the checkpoint of pass 4.
    late = machines.fetch(planned, target, old)
    assert (late["pass_number"], late["page"]) == (4, 3)
    first = machines.fetch(again, target, FROM_CHECKPOINT)
    assert (first["pass_number"], first["page"]) == (5, 2)
    late = machines.fetch(planned, target, late)
    machines.turn_all(again, target)
    assert keys_by_manifest(aws, machines.finish(again)) == KEYS


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("error", ["InvalidRequestError", "NotFoundError", "RepeatedTokenError", PAGES_MISSING])
def test_a_target_whose_pages_are_no_beginning_any_more_begins_anew(
    error: str, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    if error == PAGES_MISSING:
        target = target_of(aws, planned)
        machines.turn_all(planned, target)
        (second,) = [row for row in aws.rows(aws.runs_table) if row["sk"]["S"].endswith("#0001#00000002")]
        aws.dynamodb.delete_item(TableName=aws.runs_table, Key={"pk": second["pk"], "sk": second["sk"]})
    else:
        verdict_of(aws, planned, "failed", error, "why")
    failed = machines.finish(planned)
    assert entry(aws, failed)["error"] == error
    # PlanRun can be repeated; it begins one pass only.
    for _ in range(2):
        again = machines.plan({"resume": failed["run_id"]}, "execution-2")
    sent = tokens_sent(monkeypatch)
    end = machines.turn_all(again, target_of(aws, again))[-1]
    assert (sent[0], end["pass_number"]) == (None, 2)
    summary = machines.finish(again)
    assert summary["outcome"] == "succeeded"
    assert keys_by_manifest(aws, summary) == KEYS


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("error", ["AccessDeniedError", "DeadlinePassedError", "Interrupted", "SinkError"])
def test_any_other_target_goes_on_where_it_was(
    error: str, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"c": CRAWL}
    planned = machines.plan({"crawl": "c"})
    machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
    verdict_of(aws, planned, "unfinished", error, "why")
    again = machines.plan({"resume": machines.finish(planned)["run_id"]}, "execution-2")
    sent = tokens_sent(monkeypatch)
    assert machines.turn_all(again, target_of(aws, again))[-1]["pass_number"] == 1
    assert len([token for token in sent if token]) == len(sent) == 3
