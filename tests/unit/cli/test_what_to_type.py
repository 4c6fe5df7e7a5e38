"""What `why` has typed for targets that are denied: for each account, with its credentials, and for this stack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from pageturner.finish import summary
from pageturner.stores.runs_and_locks import RunRecord
from pageturner_cli import executions, finding, reasons
from pageturner_cli.aws_errors import Asked
from pageturner_cli.commands import runs
from pageturner_cli.executions import Execution
from pageturner_cli.finding import Found
from pageturner_cli.options import Settings

OWN, OTHER, THIRD = "111111111111", "222222222222", "333333333333"
DENIED = (
    "An error occurred (UnauthorizedOperation) when calling the DescribeInstances operation: You are not authorized"
)
NO_ROLE = "An error occurred (AccessDenied) when calling the AssumeRole operation: not authorized to: sts:AssumeRole"
RUN = "c-20260203T040506Z-1a2b3c4d"
COUNTS = ("pages", "items", "bytes", "milliseconds", "restarts", "page_errors", "ignored_errors", "throttles")
DEFAULT, PROD = Asked("Pageturner"), Asked("Prod", "eu-west-1", "prod")


def denied(account: str, cause: str = DENIED) -> dict[str, Any]:
    about: dict[str, Any] = {
        "target_id": account,
        "account": account,
        "region": "us-east-1",
        "parameters": {},
        "witness": None,
    }
    said = {"verdict": "denied", "error": "AccessDeniedError", "cause": cause}
    return {**about, **said, **dict.fromkeys(COUNTS, 0)}


@pytest.fixture
def why(monkeypatch: pytest.MonkeyPatch) -> Any:
    def typed(entries: list[dict[str, Any]], *options: str, asked: Asked = DEFAULT, **more: Any) -> str:
        @contextmanager
        def manifest_of(*_: Any) -> Iterator[Any]:
            yield SimpleNamespace(entries=lambda: entries)

        times = {"started_at": "2026-02-03T04:05:06Z", "deadline": "2026-02-04T04:05:06Z"}
        run = {"run_id": RUN, "date": "2026-02-03", "expires_at": 1, "execution": "e", "generation": 1, **times}
        crawl: Mapping[str, Any] = {"name": "c", "service": "ec2", "operation": "describe_instances", **more}
        deployment: Any = SimpleNamespace(asked=asked, region="us-east-1", account=OWN, outputs={"ExternalId": "an-id"})
        record = RunRecord(run, dict(crawl), "", {"outcome": "failed"})
        monkeypatch.setattr(reasons, "manifest_of", manifest_of)
        monkeypatch.setattr(summary.Tally, "add", _only_explain)
        failed = Execution("e", "FAILED", datetime.now(UTC), {"crawl": "c"})
        monkeypatch.setattr(executions, "described", lambda *_: failed)
        monkeypatch.setattr(finding, "found", lambda *_: Found(deployment, RUN, "c", None, record))
        given = Settings()
        given.__dict__["deployment"] = deployment
        ended = CliRunner().invoke(runs.why, options, obj=given, standalone_mode=False)
        assert ended.exception is None
        return ended.output

    def _only_explain(tally: summary.Tally, entry: Mapping[str, Any]) -> None:
        tally.verdicts[entry["verdict"]] += 1
        summary._explain(tally.crawl, entry, tally.reasons)

    return typed


def commands(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith(("Then", "  make", "  pageturner", "  AWS_"))]


def test_what_is_denied_here_is_deployed_here(why: Any) -> None:
    assert commands(why([denied(OWN)])) == ["Then type", "  make deploy", f"  pageturner resume {RUN}"]


def test_what_the_deployment_denies_itself_is_deployed_there_whatever_account_is_read(why: Any) -> None:
    entry = {**denied(OTHER), "verdict": "unfinished", "error": "DeploymentDeniedError"}
    assert commands(why([entry])) == ["Then type", "  make deploy", f"  pageturner resume {RUN}"]


def test_the_statement_names_the_action_and_what_it_is_for(why: Any) -> None:
    scan = {"service": "dynamodb", "operation": "scan"}
    entries = [{**denied(account), "parameters": {"TableName": "orders"}} for account in (OWN, OTHER)]
    (reason,) = json.loads(why(entries[:1], "--json", **scan))["reasons"]
    arn = f"arn:aws:dynamodb:us-east-1:{OWN}:table/orders"
    assert reason["statement"] == {"Effect": "Allow", "Action": ["dynamodb:Scan"], "Resource": [arn]}
    (reason,) = json.loads(why(entries, "--json", **scan))["reasons"]
    assert reason["statement"]["Resource"] == ["arn:aws:dynamodb:us-east-1:*:table/orders"]


@pytest.mark.parametrize("cause", [DENIED, NO_ROLE])
def test_what_is_denied_in_another_account_is_its_readers_to_allow(why: Any, cause: str) -> None:
    assert commands(why([denied(OTHER, cause)])) == [
        f"Then type, with the credentials of {OTHER}",
        f"  make reader PAGETURNER_ACCOUNT={OWN} EXTERNAL_ID=an-id",
        f"Then type, with the credentials of {OWN}",
        f"  pageturner resume {RUN}",
    ]


def test_each_command_has_its_account(why: Any) -> None:
    reader = f"make reader PAGETURNER_ACCOUNT={OWN} EXTERNAL_ID=an-id"
    document = json.loads(why([denied(OTHER), denied(OWN), denied(THIRD)], "--json"))
    assert document["commands"] == [
        {"command": reader, "account": OTHER},
        {"command": reader, "account": THIRD},
        {"command": "make deploy", "account": OWN},
        {"command": f"pageturner resume {RUN}", "account": OWN},
    ]
    assert f"with the credentials of {OTHER}, {THIRD}\n" in why([denied(OTHER), denied(OWN), denied(THIRD)])


def test_what_is_tolerated_is_nobodys_to_allow(why: Any) -> None:
    assert not any("make" in line for line in commands(why([denied(OTHER)], tolerate=["denied"])))


def test_all_of_it_is_for_the_stack_that_was_asked(why: Any) -> None:
    assert commands(why([denied(OTHER), denied(OWN)], asked=PROD)) == [
        f"Then type, with the credentials of {OTHER}",
        f"  AWS_REGION=eu-west-1 make reader PAGETURNER_ACCOUNT={OWN} EXTERNAL_ID=an-id CONTEXT='-c stack_name=Prod'",
        f"Then type, with the credentials of {OWN}",
        "  AWS_PROFILE=prod AWS_REGION=eu-west-1 make deploy CONTEXT='-c stack_name=Prod'",
        f"  pageturner resume {RUN} --stack Prod --profile prod --region eu-west-1",
    ]
