"""Secrets that are planted in services are in nothing that Pageturner keeps, publishes, reports or logs."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pageturner.page_state import FROM_CHECKPOINT
from pageturner.turn import details
from tests.conftest import Aws, Machines, shared_client
from tests.published import published

SECRET = "correct-horse-battery-staple"
ROLE = "arn:aws:iam::123456789012:role/r"


def functions() -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("f.py", "")
    shared_client("iam").create_role(
        RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    shared_client("lambda").create_function(
        FunctionName="f",
        Role=ROLE,
        Runtime="python3.12",
        Handler="f.h",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"PASSWORD": SECRET}},
    )


def parameters() -> None:
    shared_client("ssm").put_parameter(Name="/a", Value=SECRET, Type="SecureString")
    shared_client("ssm").put_parameter(Name="/b", Value="in the clear", Type="String")


def secrets() -> None:
    shared_client("secretsmanager").create_secret(Name="s", SecretString=SECRET)


def templates() -> None:
    user_data = base64.b64encode(SECRET.encode()).decode()
    shared_client("ec2").create_launch_template(
        LaunchTemplateName="template", LaunchTemplateData={"UserData": user_data}
    )


def roles() -> None:
    shared_client("iam").create_role(
        RoleName="r", Description=SECRET, AssumeRolePolicyDocument="{}", Tags=[{"Key": "owner", "Value": SECRET}]
    )


ENVIRONMENT = {
    "operation": "get_function_configuration",
    "parameters": {"FunctionName": "item.FunctionName"},
    "as": "More",
}
CRAWLS: Mapping[str, tuple[Callable[[], None], Mapping[str, Any], Callable[[Any], Any], Any]] = {
    "functions": (
        functions,
        {"service": "lambda", "operation": "list_functions"},
        lambda item: item["Environment"]["Variables"],
        {"PASSWORD": "REDACTED"},
    ),
    "under another name": (
        functions,
        {
            "service": "lambda",
            "operation": "list_functions",
            "search": "Functions[].{N: FunctionArn, X: Environment.Variables.PASSWORD}",
        },
        lambda item: item["X"],
        "REDACTED",
    ),
    "in a detail": (
        functions,
        {"service": "lambda", "operation": "list_functions", "detail": ENVIRONMENT},
        lambda item: (item["Environment"]["Variables"], item["More"]["Environment"]["Variables"]),
        ({"PASSWORD": "REDACTED"}, {"PASSWORD": "REDACTED"}),
    ),
    "parameters": (
        parameters,
        {"service": "ssm", "operation": "get_parameters_by_path", "parameters": {"Path": "/", "WithDecryption": True}},
        lambda item: item["Value"] if item["Name"] == "/a" else None,
        "REDACTED",
    ),
    "one parameter": (
        parameters,
        {"service": "ssm", "operation": "get_parameter", "parameters": {"Name": "/a", "WithDecryption": True}},
        lambda item: item["Parameter"]["Value"] if "Parameter" in item else item["Value"],
        "REDACTED",
    ),
    "secrets": (
        secrets,
        {"service": "secretsmanager", "operation": "get_secret_value", "parameters": {"SecretId": "s"}},
        lambda item: item["SecretString"],
        "REDACTED",
    ),
    "templates": (
        templates,
        {
            "service": "ec2",
            "operation": "describe_launch_template_versions",
            "parameters": {"LaunchTemplateName": "template"},
        },
        lambda item: item["LaunchTemplateData"]["UserData"],
        "REDACTED",
    ),
    "what a crawl redacts": (
        roles,
        {
            "service": "iam",
            "operation": "list_roles",
            "detail": {
                "operation": "get_role",
                "parameters": {"RoleName": "item.RoleName"},
                "as": "More",
                "result_key": "Role",
            },
            "redact": {"drop": ["Description", "More.Description"], "mask": ["More.Tags[?Key=='owner'].Value"]},
        },
        lambda item: ("Description" in item, item["More"]["Tags"]),
        (False, [{"Key": "owner", "Value": "REDACTED"}]),
    ),
}


def held(aws: Aws, folder: Path) -> str:
    """All that is in the bucket and in the tables, as it can be read."""
    texts = [json.dumps(aws.rows(table), default=repr) for table in (aws.items_table, aws.runs_table)]
    for key in aws.object_keys():
        found = aws.s3.get_object(Bucket=aws.bucket, Key=key)
        body = found["Body"].read()
        texts.append(json.dumps(found["Metadata"]))
        if key.endswith(".parquet"):
            (folder / "file.parquet").write_bytes(body)
            texts += map(str, duckdb.execute(f"FROM '{folder / 'file.parquet'}'").fetchall())
        else:
            texts.append((gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode())
    return "\n".join(texts)


@pytest.mark.parametrize("name", CRAWLS)
def test_a_planted_secret_is_nowhere(
    aws: Aws, machines: Machines, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    plant, crawl, of, expected = CRAWLS[name]
    plant()
    machines.catalogue = {"c": crawl}
    report = machines.run(aws, {"crawl": "c", "dry_run": True})
    assert "redacted" in report["paging"]
    summary = machines.publish(machines.run(aws, {"crawl": "c"}))
    machines.report(summary)
    assert summary["published"]["new"] > 0
    lines = [line for key in aws.object_keys("items/") for line in aws.lines(key)]
    assert expected in [of(json.loads(line["item"])) for line in lines]
    assert published(aws)
    found = [held(aws, tmp_path), "".join(capfd.readouterr()), json.dumps([report, summary])]
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert [name for name, text in enumerate(found) if SECRET in text or encoded in text] == []


def test_a_crawl_can_switch_a_default_off(aws: Aws, machines: Machines) -> None:
    functions()
    machines.catalogue = {
        "c": {"service": "lambda", "operation": "list_functions", "redact": {"keep": ["environment"]}}
    }
    machines.run(aws, {"crawl": "c"})
    (line,) = [line for key in aws.object_keys("items/") for line in aws.lines(key)]
    assert json.loads(line["item"])["Environment"]["Variables"] == {"PASSWORD": SECRET}


def test_a_hash_shows_a_change_and_a_mask_does_not(aws: Aws, machines: Machines) -> None:
    functions()
    base = {"service": "lambda", "operation": "list_functions", "ignore_fields": ["LastModified", "RevisionId"]}
    keep = {**base, "redact": {"keep": ["environment"], "hash": ["Environment.Variables", "FunctionArn"]}}
    machines.catalogue = {"masked": base, "hashed": keep}
    for name in machines.catalogue:
        machines.publish(machines.run(aws, {"crawl": name}, f"{name}-1"), f"{name}-1")
    shared_client("lambda").update_function_configuration(
        FunctionName="f", Environment={"Variables": {"PASSWORD": "another"}}
    )
    machines.started_at = "2126-02-04T04:05:06.789Z"
    changed = {
        name: machines.publish(machines.run(aws, {"crawl": name}, f"{name}-2"), f"{name}-2")["published"]["changed"]
        for name in machines.catalogue
    }
    assert changed == {"masked": 0, "hashed": 1}
    (key,) = {row["key"] for key in aws.object_keys("items/crawl=hashed/") for row in aws.lines(key)}
    assert key.startswith("hmac-sha256:")


def test_a_page_that_waits_for_its_details_is_redacted(
    aws: Aws, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles()
    crawl = CRAWLS["what a crawl redacts"][1]
    machines.catalogue = {"c": crawl}
    planned = machines.plan({"crawl": "c"})
    (target,) = aws.json(planned["targets"]["key"])
    monkeypatch.setattr(details, "LAST_CALL", -1.0)
    machines.fetch(planned, target, FROM_CHECKPOINT)
    (kept,) = [key for key in aws.object_keys() if "detail" in key]
    body = aws.s3.get_object(Bucket=aws.bucket, Key=kept)["Body"].read()
    assert SECRET.encode() not in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
