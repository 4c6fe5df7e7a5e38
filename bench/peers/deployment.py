"""Deploys the peers to the emulator with boto3, beside Pageturner, and removes them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.peers import machines
from local.emulator import ACCOUNT, Emulator

_HERE = Path(__file__).parent
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/peer"
BUCKET, TABLE = "peers", "peers"
PLAIN, DURABLE = "peer-plain", "peer-durable"


class Peers:
    """The functions, state machines, bucket and table of the peers; a context manager.

    Their functions have the runtime, the packages and the memory of the deployed FetchPage.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._lambda = emulator.client("lambda")
        self._lambda.meta.events.register("before-call.lambda.CreateFunction", _enable_durable)
        self._stepfunctions = emulator.client("stepfunctions")
        self._s3 = emulator.client("s3")
        self._dynamodb = emulator.client("dynamodb")
        self.machines: dict[str, str] = {}

    def __enter__(self) -> Peers:
        self._s3.create_bucket(Bucket=BUCKET)
        self._dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
        )
        found = self._lambda.get_function(FunctionName=self._fetch_page())
        code = with_peers(_download(found["Code"]["Location"]))
        plain = self._function(PLAIN, "plain.handler", code, found["Configuration"])
        # A durable execution that is invoked synchronously lasts for 15 minutes at most.
        limit = {"DurableConfig": {"ExecutionTimeout": 900, "RetentionPeriodInDays": 1}}
        self._function(DURABLE, "durable.handler", code, {**found["Configuration"], "Timeout": 900}, **limit)
        for name, loop in (("lambda", machines.lambda_loop(plain)), ("sdk", machines.sdk_loop(TABLE))):
            self._machine(f"{name}-loop", loop)
            self._machine(f"{name}-loops", machines.each_target(loop))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The bucket and the table end with the emulator: emptying them would take longer than all else.
        for arn in self.machines.values():
            self._stepfunctions.delete_state_machine(stateMachineArn=arn)
        for name in (PLAIN, DURABLE):
            self._lambda.delete_function(FunctionName=name)

    def _fetch_page(self) -> str:
        pages = self._lambda.get_paginator("list_functions").paginate()
        (name,) = [
            name for page in pages for each in page["Functions"] if "FetchPage" in (name := each["FunctionName"])
        ]
        return str(name)

    def _function(self, name: str, handler: str, code: bytes, like: dict[str, Any], **more: Any) -> str:
        created = self._lambda.create_function(
            FunctionName=name,
            Handler=handler,
            Role=_ROLE,
            Code={"ZipFile": code},
            **{each: like[each] for each in ("Runtime", "Architectures", "MemorySize", "Timeout", "TracingConfig")},
            **more,
        )
        self._lambda.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return str(created["FunctionArn"])

    def _machine(self, name: str, definition: machines.State) -> None:
        created = self._stepfunctions.create_state_machine(
            name=f"peer-{name}", definition=json.dumps(definition), roleArn=_ROLE, type="STANDARD"
        )
        self.machines[name] = created["stateMachineArn"]


def with_peers(code: bytes) -> bytes:
    """Add the functions of the peers, and what they need, to the code of a function."""
    added = io.BytesIO(code)
    with zipfile.ZipFile(added, "a", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--target", folder]
        command += ["--requirement", str(_HERE / "requirements.txt")]
        subprocess.run(command, check=True, capture_output=True)
        for root in (_HERE, Path(folder)):
            for path in sorted(root.rglob("*.py")):
                archive.write(path, path.relative_to(root))
    return added.getvalue()


def _enable_durable(params: dict[str, Any], **_: Any) -> None:
    """MiniStack looks for `Enabled`, which AWS's `DurableConfig` does not have."""
    body = json.loads(params["body"])
    if "DurableConfig" in body:
        body["DurableConfig"]["Enabled"] = True
        params["body"] = json.dumps(body).encode()


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the emulator's
        return bytes(answer.read())
