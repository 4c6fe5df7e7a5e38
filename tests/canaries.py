"""Secrets that are planted, and a search for them in all that people see, or are told, who may not read the pages.

What holds them by design is left out (docs/reliability.md, "What is where").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner

from pageturner import clients, notices
from pageturner.report.page import data_in
from pageturner_cli import executions
from pageturner_cli.aws_errors import Asked
from pageturner_cli.commands import runs
from pageturner_cli.deployment import Deployment
from pageturner_cli.options import Settings
from tests.conftest import STARTED_AT, Aws, Machines, shared_session
from tests.machines.publishing_services import parquet_rows

# In the name of a bucket, which is a parameter of `objects`, and in the keys of its objects.
BUCKET, KEY, TOKEN = "canary-bucket-5e55", "canary key/ünïque'\"5e55", "Y2FuYXJ5IHRva2Vu+5e55/=="
CANARIES = ("canary", "5e55", "Y2FuYXJ5", "nïque")
BUCKETS = {
    "service": "s3",
    "operation": "list_buckets",
    "search": "Buckets[?starts_with(Name, 'canar')]",
    "key": "Name",
}
OBJECTS = {
    "service": "s3",
    "operation": "list_objects_v2",
    "key": "Key",
    "pagination_config": {"PageSize": 1},
    "for_each": {"crawl": "buckets", "parameters": {"Bucket": "item.Name"}},
}
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:Pageturner-Crawl"


@dataclass
class Seen:
    """What people see: what was printed, and what they were told."""

    aws: Aws
    capsys: pytest.CaptureFixture[str]
    told: list[Any] = field(default_factory=list)

    def ends(self, machines: Machines, summary: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """Publish, report and fail a run, and ask the terminal why."""
        output = machines.publish(summary)
        machines.report(output)
        self.told += [summary, output]
        cause = ""
        if output["outcome"] != "succeeded":
            failed = machines.fail(output)
            self.told.append(failed)
            cause = failed["cause"]
        self.asks_why(summary["run_id"], cause, monkeypatch)

    def asks_why(self, run_id: str, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ask the terminal why a run is not complete, whose execution has ended."""
        status = "FAILED" if cause else "SUCCEEDED"
        began = datetime.fromisoformat(STARTED_AT)
        ended = executions.Execution("e", status, began, {}, error="RunFailed" if cause else "", cause=cause)
        monkeypatch.setattr(executions, "described", lambda *_: ended)
        settings = Settings()
        given = {"ItemsBucket": self.aws.bucket, "ItemsTable": self.aws.items_table, "RunsTable": self.aws.runs_table}
        settings.__dict__["deployment"] = Deployment(
            Asked("Pageturner"), shared_session(), given={**given, "CrawlMachineArn": MACHINE}
        )
        for form in ([], ["--json"]):
            result = CliRunner().invoke(runs.why, [run_id, *form], obj=settings)
            assert isinstance(result.exception, SystemExit | None), result.exception
            assert run_id in result.output
            self.told.append(result.output)

    def texts(self) -> Iterator[tuple[str, str]]:
        yield "logs", "".join(self.capsys.readouterr())
        yield "told", _text([_without_keys(json.loads(json.dumps(each, default=vars))) for each in self.told])
        for row in self.aws.rows(self.aws.runs_table):
            # Checkpoints have tokens, and the keys that listings have come to; what pages say beside items is for
            # the manifest.
            by_design = ("place", "errors", "non_aggregate")
            values = {name: next(iter(value.values())) for name, value in row.items() if name not in by_design}
            yield f"runs table: {row['sk']['S']}", _text(_without_keys(values))
        for key in self.aws.object_keys():
            found = self.aws.s3.get_object(Bucket=self.aws.bucket, Key=key)
            yield "keys", key
            yield f"metadata of {key}", _text(found["Metadata"])
            body = found["Body"].read()
            if key.endswith("manifest.json"):
                yield key, _text(_without_parameters(json.loads(body)))
            elif key.endswith(".html"):
                yield key, "\n".join(_of_page(body.decode("ascii")))
            elif key.startswith(("summaries/",)):
                yield key, _text([{**row, "parameters": ""} for row in parquet_rows([body])])

    def check(self) -> None:
        for where, text in self.texts():
            plain = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
            found = [canary for canary in CANARIES if canary in text or canary in plain]
            assert not found, f"{where}: {text}"


@pytest.fixture
def seen(aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen(aws, capsys)
    monkeypatch.setattr(notices, "send", found.told.append)
    monkeypatch.setenv("NOTICE_CHANGES", "true")

    def put_events(Entries: list[Any]) -> Any:
        found.told += [_without_keys(json.loads(entry["Detail"])) for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": []}

    monkeypatch.setattr(clients.client("events"), "put_events", put_events)
    aws.s3.create_bucket(Bucket=BUCKET)
    aws.put_objects(BUCKET, [KEY, f"{KEY} 2"])
    return found


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, default=str)


def _without_keys(value: Any) -> Any:
    """A document without the first keys of what has changed."""
    if isinstance(value, Mapping):
        return {name: _without_keys(each) for name, each in value.items() if not name.endswith("_keys")}
    if isinstance(value, list):
        return [_without_keys(each) for each in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            return _without_keys(json.loads(value))
        except ValueError:
            return value
    return value


def _without_parameters(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without what says which targets it has, and what these say of their pages."""
    for target in manifest["targets"]:
        for name in ("parameters", "parent", "errors_in_pages", "non_aggregate"):
            target.pop(name, None)
    return manifest


def _of_page(page: str) -> Iterator[str]:
    """The texts of a page, the report without the parameters of targets, and without keys."""
    document = data_in(iter(page.splitlines()))
    assert document is not None
    yield from (line for line in page.splitlines() if not line.startswith("{"))
    if "targets" in document:
        targets = document["targets"]
        place = targets["columns"].index("parameters")
        parameters = {row[place] for row in targets["rows"]}
        targets["texts"] = [text for number, text in enumerate(targets["texts"]) if number not in parameters]
        for row in document["throttled"]:
            del row[3]
        if document["published"]:
            del document["published"]["keys"]
    yield _text(document)
