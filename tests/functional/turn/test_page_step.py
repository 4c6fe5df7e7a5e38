"""Turning one page, and everything that can go wrong between its steps, on moto."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from pageturner import clients, telemetry
from pageturner.errors import (
    AccessDeniedError,
    InvalidRequestError,
    NotFoundError,
    PageturnerError,
    RepeatedTokenError,
    SinkError,
    ThrottledError,
    TransientError,
)
from pageturner.page_state import FROM_CHECKPOINT
from pageturner.stores import checkpoints, page_store
from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import KEYS, UNORDERED, expired_token, target_of


@pytest.fixture
def planned(source: None, machines: Machines) -> dict[str, Any]:
    return machines.plan({"crawl": "c"})


@pytest.fixture
def target(aws: Aws, planned: Mapping[str, Any]) -> dict[str, Any]:
    return target_of(aws, planned)


def keys_in_s3(aws: Aws) -> list[str]:
    return [line["key"] for key in aws.object_keys("items/") for line in aws.lines(key)]


class Killed(BaseException):
    """The function's process was killed, so nothing after this line runs."""


@pytest.mark.parametrize("page", [1, 2, 4])
@pytest.mark.parametrize(
    ("module", "function", "after"),
    [
        (page_store.PageStore, "commit", False),
        (page_store.PageStore, "commit", True),
        (checkpoints.CheckpointStore, "record_page", False),
        (checkpoints.CheckpointStore, "record_page", True),
    ],
)
def test_killed_anywhere_nothing_is_lost_and_nothing_doubled(
    page: int,
    module: Any,
    function: str,
    after: bool,
    aws: Aws,
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place: Mapping[str, Any] = FROM_CHECKPOINT
    for _ in range(page - 1):
        place = machines.fetch(planned, target, place)
    whole = getattr(module, function)

    def killed(*arguments: Any, **named: Any) -> None:
        if after:
            whole(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, function, killed)
        with pytest.raises(Killed):
            machines.fetch(planned, target, place)

    machines.turn_all(planned, target)
    assert keys_in_s3(aws) == KEYS
    assert machines.finish(planned)["items"] == len(KEYS)


def place_of(place: dict[str, Any]) -> dict[str, Any]:
    """A place without the loop that turned its page, and without what a checkpoint does not have."""
    return {
        name: value for name, value in place.items() if name not in ("turned_in", "heard_at", "slot_at", "slots_left")
    }


def test_the_first_writer_wins_with_its_items_and_its_token(
    aws: Aws, machines: Machines, planned: dict[str, Any], target: dict[str, Any]
) -> None:
    """A page is fetched twice, and the listing changes in between: items and token are those of the first response."""
    first = machines.fetch(planned, target, FROM_CHECKPOINT)
    for number in range(5):
        aws.s3.put_object(Bucket="source", Key=f"added-{number}", Body=b"x")
    late = machines.fetch(planned, target, {**first, "page": 1, "token": None, "items": 0, "bytes": 0, "taken": 0})
    assert place_of(late) == place_of(first)
    assert keys_in_s3(aws) == KEYS[:10]


def test_a_late_duplicate_moves_no_checkpoint_back(
    machines: Machines, planned: dict[str, Any], target: dict[str, Any]
) -> None:
    places = machines.turn_all(planned, target)
    late = machines.fetch(planned, target, places[0])
    assert late["page"] == 3
    assert place_of(machines.fetch(planned, target, FROM_CHECKPOINT)) == place_of(places[-1])


def test_at_the_end_there_is_nothing_left_to_fetch(
    aws: Aws, machines: Machines, planned: dict[str, Any], target: dict[str, Any]
) -> None:
    end = machines.turn_all(planned, target)[-1]
    aws.s3.delete_object(Bucket="source", Key=KEYS[0])
    assert place_of(machines.fetch(planned, target, FROM_CHECKPOINT)) == place_of(end)


def test_a_long_token_travels_as_a_reference(
    aws: Aws,
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_store, "_LONGEST_TOKEN", 10)
    places = machines.turn_all(planned, target)
    assert all(place["token"].startswith(f"s3:tokens/{planned['run']['run_id']}/") for place in places[:-1])
    assert keys_in_s3(aws) == KEYS


def answer(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "ListObjectsV2",
    )


class FailingClient:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def list_objects_v2(self, **_: Any) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answer("SlowDown", 503), ThrottledError),
        (answer("AccessDenied", 403), AccessDeniedError),
        (answer("InternalError", 500), TransientError),
        (answer("NoSuchBucket", 404), NotFoundError),
        (answer("InvalidArgument", 400), InvalidRequestError),
        (ReadTimeoutError(endpoint_url="http://s3"), TransientError),
        (ConnectTimeoutError(endpoint_url="http://s3"), TransientError),
        (EndpointConnectionError(endpoint_url="http://s3"), TransientError),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), TransientError),
        (ResponseParserError("not XML"), TransientError),
    ],
)
def test_what_the_service_answers_has_its_name(
    error: Exception,
    expected: type[PageturnerError],
    aws: Aws,
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = clients.client("s3", target["region"])
    monkeypatch.setattr(client, "list_objects_v2", FailingClient(error).list_objects_v2)
    with pytest.raises(expected) as raised:
        machines.fetch(planned, target, FROM_CHECKPOINT)
    assert type(raised.value) is expected
    assert machines.finish(planned)["throttles"] == (1 if expected is ThrottledError else 0)
    assert aws.object_keys("items/") == []


def test_an_answer_later_than_the_timeout_is_asked_for_once_more_and_then_transient(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: Any = clients._CONFIG
    # FetchPage has 60 s.
    assert 2 * (config.connect_timeout + config.read_timeout) <= 60
    monkeypatch.setattr(clients, "_CONFIG", config.merge(Config(read_timeout=0.1)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        planned = machines.plan({"service": "sqs", "operation": "list_queues"})
        with pytest.raises(TransientError, match="Read timeout on endpoint URL"):
            machines.fetch(planned, target_of(aws, planned), FROM_CHECKPOINT)
        silent.settimeout(5)
        asked = [silent.accept()[0] for _ in range(2)]
    for each in asked:
        with each:
            assert each.recv(4) == b"POST"
    assert aws.object_keys("items/") == []


@pytest.mark.parametrize("code", ["InvalidArgument", "BadRequestException", "AnyOther"])
def test_a_rejection_while_a_token_was_sent_is_about_the_token(
    code: str, source: None, aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.catalogue = {"c": UNORDERED}
    planned = machines.plan({"crawl": "c"})
    target = target_of(aws, planned)
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    monkeypatch.setattr(
        clients.client("s3", target["region"]), "list_objects_v2", FailingClient(answer(code, 400)).list_objects_v2
    )
    begins = machines.fetch(planned, target, place)
    assert (begins["next"], begins["pass_number"], begins["page"], begins["token"]) == ("begin_pass", 2, 1, None)


def test_where_the_order_is_known_it_goes_on_behind_the_last_key(
    aws: Aws, machines: Machines, planned: dict[str, Any], target: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page is fetched again, however often tokens expire, and no restart is used up."""
    expired_token(monkeypatch, 1000)
    end = machines.turn_all(planned, target)[-1]
    assert (end["verdict"], end["pass_number"], end["page"]) == ("complete", 1, 5)
    assert keys_in_s3(aws) == KEYS
    summary = machines.finish(planned)
    assert (summary["restarts"], summary["items"], summary["verdict"]) == (0, len(KEYS), "complete")


def test_only_the_state_that_crawl_goes_on_with_begins_a_pass(
    aws: Aws, machines: Machines, planned: dict[str, Any], target: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service may reject the token of an abandoned invocation while another one continues."""
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    client = clients.client("s3", target["region"])
    with monkeypatch.context() as patch:
        patch.setattr(client, "list_objects_v2", FailingClient(answer("InvalidArgument", 400)).list_objects_v2)
        machines.fetch(planned, target, place)
    assert machines.fetch(planned, target, FROM_CHECKPOINT)["pass_number"] == 1


def test_the_same_token_twice_is_an_error_after_its_page_was_kept(
    aws: Aws, machines: Machines, planned: dict[str, Any], target: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients.client("s3", target["region"])
    whole = client.list_objects_v2
    place = machines.fetch(planned, target, FROM_CHECKPOINT)

    def same_token(**arguments: Any) -> Any:
        return {**whole(**arguments), "NextContinuationToken": arguments["ContinuationToken"]}

    monkeypatch.setattr(client, "list_objects_v2", same_token)
    for again in (place, FROM_CHECKPOINT):
        with pytest.raises(
            RepeatedTokenError, match="page 2 returned the same token that fetched it; the page was kept"
        ):
            machines.fetch(planned, target, again)
    assert keys_in_s3(aws) == KEYS[:20]


@pytest.mark.parametrize("refused", ["put_object", "put_item"])
def test_a_sink_that_refuses_is_retried_and_loses_nothing(
    refused: str,
    aws: Aws,
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = machines.fetch(planned, target, FROM_CHECKPOINT)

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ConditionalRequestConflict", "Message": "no"}}, refused)

    with monkeypatch.context() as patch:
        patch.setattr(clients.client("s3" if refused == "put_object" else "dynamodb"), refused, refuse)
        with pytest.raises(SinkError):
            machines.fetch(planned, target, place)
    machines.turn_all(planned, target)
    assert keys_in_s3(aws) == KEYS


def test_the_function_hands_over_when_its_loop_has_had_its_time(
    machines: Machines, planned: dict[str, Any], target: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # `LOOP_STARTED_AT` is long past, so the loop has used up its time.
    assert machines.fetch(planned, target, FROM_CHECKPOINT)["next"] == "hand_over"
    monkeypatch.setenv("LOOP_SECONDS", "1e10")
    place = machines.fetch(planned, target, FROM_CHECKPOINT)
    assert (place["next"], place["page"]) == ("page", 3)


def test_a_page_has_one_log_line_which_is_its_metrics_with_its_facts(
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.clear()
    capsys.readouterr()
    machines.fetch(planned, target, FROM_CHECKPOINT)
    assert not caplog.records
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    (directive,) = line.pop("_aws")["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "Pageturner",
        "Dimensions": [["crawl"]],
        "Metrics": [{"Name": name, "Unit": "Count"} for name in ("PagesFetched", "ItemsWritten")],
    }
    assert min(line.pop("bytes"), line.pop("fetch_ms") + 1, line.pop("write_ms") + 1) > 0
    assert line == {
        "crawl": "c",
        "PagesFetched": [1.0],
        "ItemsWritten": [10.0],
        "correlation_id": planned["run"]["run_id"],
        "target": target["target_id"],
        "page": 1,
        "items": 10,
        "verdict": None,
    }
    assert telemetry.logger.get_correlation_id() == planned["run"]["run_id"]


def test_without_lines_of_level_info_a_page_still_has_metrics(
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(telemetry.logger.name), "level", logging.WARNING)
    capsys.readouterr()
    machines.fetch(planned, target, FROM_CHECKPOINT)
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line.keys() == {"_aws", "crawl", "PagesFetched", "ItemsWritten"}


def test_a_throttled_page_is_counted_and_said(
    machines: Machines,
    planned: dict[str, Any],
    target: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slow_down(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "less"}}, "ListObjectsV2")

    monkeypatch.setattr(clients.client("s3", "us-east-1"), "list_objects_v2", slow_down)
    caplog.clear()
    capsys.readouterr()
    with pytest.raises(ThrottledError):
        machines.fetch(planned, target, FROM_CHECKPOINT)
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert line["Throttles"] == [1.0]
    assert "PagesFetched" not in line
    (warning,) = caplog.records
    assert (warning.message, vars(warning)["target"]) == ("throttled", target["target_id"])
