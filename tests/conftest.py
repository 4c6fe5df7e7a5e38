"""What the in-process tests share: moto's AWS with Pageturner's resources, and loops that replace state machines."""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
import botocore.session
import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws
from moto.s3.models import s3_backends

from pageturner.errors import OverlapError
from pageturner.paging import api
from pageturner.paging.api import LOADER
from tests.fake_tables import fake_tables

ACCOUNT = "123456789012"
REGION = "us-east-1"
# In the far future, so that all items of earlier runs are older, and no deadline is near.
STARTED_AT = "2126-02-03T04:05:06.789Z"
LOOP_STARTED_AT = "2026-02-03T04:05:06.789Z"

# Many tests go over all services, each more than once.
api.MOST_SERVICES = 1_000

# The same examples every time, and no failures because a machine is slow.
settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")


class LambdaContext:
    """The context that the Lambda runtime passes to a handler."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests away from the credentials and AWS settings of the person who runs them."""
    for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@cache
def shared_session() -> boto3.Session:
    """The session of the tests' own clients. Each model is parsed once in a process, for the functions' clients too."""
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return boto3.Session(botocore_session=session)


@cache
def shared_client(service: str) -> Any:
    """A client that sets up moto's AWS, and looks at it. It outlives moto's data, which it does not know."""
    return shared_session().client(service)  # type: ignore[call-overload]


@dataclass
class Aws:
    """moto's AWS, with the items bucket and both tables."""

    bucket: str = "items-bucket"
    items_table: str = "items"
    runs_table: str = "runs"
    s3: Any = field(default_factory=lambda: shared_client("s3"))
    dynamodb: Any = field(default_factory=lambda: shared_client("dynamodb"))
    database: str = "pageturner"

    def __post_init__(self) -> None:
        glue = shared_client("glue")
        glue.create_database(DatabaseInput={"Name": self.database})
        glue.create_table(DatabaseName=self.database, TableInput={"Name": "changes"})
        self.s3.create_bucket(Bucket=self.bucket)
        for table in (self.items_table, self.runs_table):
            self.dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
            )

    def put_objects(self, bucket: str, keys: Iterable[str]) -> None:
        """Put objects with the body "x". Requests for them would be a tenth of the tests' time."""
        for key in keys:
            s3_backends[ACCOUNT]["aws"].put_object(bucket, key, b"x")

    def object_keys(self, prefix: str = "") -> list[str]:
        return self.object_keys_of(self.bucket, prefix)

    def object_keys_of(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def lines(self, key: str) -> list[dict[str, Any]]:
        body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return [json.loads(line) for line in gzip.decompress(body).splitlines()]

    def json(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [
            item for page in self.dynamodb.get_paginator("scan").paginate(TableName=table) for item in page["Items"]
        ]


@pytest.fixture
def tables() -> AbstractContextManager[None]:
    """What keeps Pageturner's tables."""
    return fake_tables(Aws.items_table, Aws.runs_table)


@pytest.fixture
def aws(_no_account: None, tables: AbstractContextManager[None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with mock_aws(), tables, patch("boto3.DEFAULT_SESSION", shared_session()):
        made = Aws()
        monkeypatch.setenv("ITEMS_BUCKET", made.bucket)
        monkeypatch.setenv("ITEMS_TABLE", made.items_table)
        monkeypatch.setenv("RUNS_TABLE", made.runs_table)
        monkeypatch.setenv("LOOP_SECONDS", "225")
        monkeypatch.setenv("DATABASE", "pageturner")
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Stack")
        monkeypatch.setenv("MOST_ROWS", "500000")
        monkeypatch.setenv("ACCOUNT", ACCOUNT)
        monkeypatch.setenv("READER_ROLE_ARN", "arn:aws:iam::{account}:role/PageturnerReader")
        monkeypatch.setenv("EXTERNAL_ID", "pageturner")
        monkeypatch.setenv("HASH_KEY", "arn:aws:cloudformation:us-east-1:123456789012:stack/Pageturner/1")
        # moto would let its requests through, because they do not go to amazonaws.com. Nothing listens here.
        monkeypatch.setenv("AWS_ENDPOINT_URL_RESOURCE_EXPLORER_2", "http://127.0.0.1:9")
        yield made
        _forget_clients()


def _forget_clients() -> None:
    import fetch_page
    import publish_run
    from pageturner import clients

    publish_run.publisher.cache_clear()
    clients._client.cache_clear()
    clients._session.cache_clear()
    clients._reader_session.cache_clear()
    fetch_page._page_step.cache_clear()
    fetch_page._stop_check.cache_clear()


@dataclass
class Machines:
    """Calls the handlers in plain loops, in the order in which the state machines call them when nothing fails."""

    catalogue: Mapping[str, Any] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)  # executions
    started_at: str = STARTED_AT
    entered_at: str = ""
    context: Any = field(default_factory=LambdaContext)
    _loops: Iterator[int] = field(default_factory=itertools.count)

    def plan(self, execution_input: Any, execution: str = "execution-1") -> dict[str, Any]:
        import plan_run
        from pageturner import clients
        from pageturner.crawls.catalogue import parse_catalogue

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan_run, "_catalogue", lambda: parse_catalogue({"crawls": self.catalogue}))
            patch.setattr(clients, "is_running", lambda execution: execution in self.running)
            times = {"started_at": self.started_at, "entered_at": self.entered_at or self.started_at}
            event = {"input": execution_input, "execution": {"id": execution, **times}}
            planned = _through_json(plan_run.handler(event, self.context))
            if "refused" in planned:
                raise OverlapError(planned["refused"]["message"])
            return {**planned, "execution": execution}

    def fetch(
        self,
        planned: Mapping[str, Any],
        target: Mapping[str, Any],
        place: Mapping[str, Any],
        retries: int = 0,
        *,
        loop_started_at: str = "",
        share: float | None = None,
    ) -> dict[str, Any]:
        """Turn a page in a loop of its own, whose time is over after it, or in the one that started then."""
        import fetch_page
        from pageturner import clients

        state = {"run": planned["run"], "crawl": planned["crawl"], "target": target, "place": place}
        long_ago = datetime.fromisoformat(LOOP_STARTED_AT) + timedelta(milliseconds=next(self._loops))
        event = {**state, "loop_started_at": loop_started_at or long_ago.isoformat(), "retry_count": retries}
        event = _through_json(event if share is None else {**event, "share": share})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clients, "is_running", lambda execution: execution in self.running)
            return _through_json(fetch_page.handler(event, self.context))

    def turn_all(self, planned: Mapping[str, Any], target: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Turn all pages of a target, and return the place after each."""
        from pageturner.page_state import FROM_CHECKPOINT

        places = [self.fetch(planned, target, FROM_CHECKPOINT)]
        while places[-1]["next"] != "end":
            assert len(places) < 500
            places.append(self.fetch(planned, target, places[-1]))
        return places

    def plan_long(self, planned: Mapping[str, Any]) -> dict[str, Any]:
        """Plan the targets that ShortTargets has left."""
        import plan_long_targets

        event = _through_json({"run": planned["run"], "targets": planned["targets"]})
        return _through_json(plan_long_targets.handler(event, self.context))

    def finish(self, planned: Mapping[str, Any]) -> dict[str, Any]:
        import finish_run

        run = planned["run"]
        event = {"run_id": run["run_id"], "generation": run["generation"], "execution": planned["execution"]}
        for _ in range(100):
            summary = _through_json(finish_run.handler(event, self.context))
            if summary["outcome"] != "again":
                return summary
            assert summary["run"] == {name: run[name] for name in ("run_id", "generation")}
        raise AssertionError("it does not come to an end")

    def publish(self, summary: Mapping[str, Any], execution: str = "execution-1") -> dict[str, Any]:
        """Publish a run that has ended, all parts one after the other, and return its summary."""
        import publish_part
        import publish_run

        for _ in range(100):
            event = _through_json({"state": summary, "execution": execution})
            step = _through_json(publish_run.handler(event, self.context))
            if step["next"] == "end":
                return dict(step["summary"])
            if step["next"] == "parts":
                found = shared_client("s3").get_object(Bucket=step["parts"]["bucket"], Key=step["parts"]["key"])
                for part in json.loads(found["Body"].read()):
                    while part.get("next") != "end":
                        part = _through_json(publish_part.handler({"part": part}, self.context))
        raise AssertionError("it does not come to an end")

    def report(self, output: Mapping[str, Any], execution: str = "execution-1") -> None:
        """Report a run, by the output of its execution."""
        import report_run

        report_run.handler(_through_json({"summary": output, "execution": execution}), self.context)

    def fail(self, summary: Mapping[str, Any], execution: str = "execution-1", redrives: int = 0) -> dict[str, Any]:
        """Return what FailRun reports to Step Functions about its task: `error` and `cause`, or `output`."""
        import fail_run
        from pageturner import clients

        told: list[dict[str, Any]] = []
        with pytest.MonkeyPatch.context() as patch:
            for name in ("send_task_failure", "send_task_success"):
                patch.setattr(clients.client("stepfunctions"), name, lambda **arguments: told.append(arguments))
            event = {name: summary[name] for name in ("run_id", "generation", "message")}
            event["execution"] = execution
            fail_run.handler(_through_json({**event, "redrives": redrives, "token": "t"}), self.context)
        (only,) = told
        assert only.pop("taskToken") == "t"
        return only

    def stop(self, execution: str, status: str = "ABORTED", redrives: int = 0, **detail: str) -> None:
        """End an execution, and give StopRun the event that says so."""
        import stop_run
        from pageturner import clients

        self.running.discard(execution)
        about = {"executionArn": execution, "status": status, "redriveCount": redrives}
        event = {"source": "aws.states", "detail": {**about, **detail}}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clients, "running_redrive", lambda execution: redrives if execution in self.running else None)
            stop_run.handler(event, self.context)

    def run(self, aws: Aws, execution_input: Any, execution: str = "execution-1") -> dict[str, Any]:
        planned = self.plan(execution_input, execution)
        if "nothing_to_do" in planned:
            return dict(planned["nothing_to_do"])
        for target in aws.json(planned["targets"]["key"]):
            self.turn_all(planned, target)
        return self.finish(planned)


def _through_json(value: dict[str, Any]) -> dict[str, Any]:
    travelled: dict[str, Any] = json.loads(json.dumps(value))
    return travelled


@pytest.fixture
def machines(aws: Aws) -> Machines:
    return Machines()
