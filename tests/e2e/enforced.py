"""The real stack on an emulator that enforces permissions, with the generated policies only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from botocore.config import Config

from local.deployment import deploy_assembly, synth
from local.emulator import ACCOUNT, PROJECT, Emulator
from tests.e2e.accounts import deploy_reader
from tests.e2e.conftest import OnEmulator

OTHER_ACCOUNT = "111111111111"
# The roles that read what is crawled: of this account, and of the other one.
READERS = ("Reader", "OtherReader")


@dataclass
class Enforced(OnEmulator):
    """The deployed stack, where roles may do what their policies say. The tests' own clients may do anything."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._credentials: dict[str, dict[str, str]] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    def as_role(self, role: str, service: str) -> Any:
        """Return a client with the credentials of a function's role, or of `Reader` or `OtherReader`."""
        if role not in self._credentials:
            self._credentials[role] = self._assume(role)
        if (role, service) not in self._clients:
            # A refusal is no reason to ask again.
            once = Config(retries={"total_max_attempts": 1})
            self._clients[role, service] = self.emulator.client(service, config=once, **self._credentials[role])
        return self._clients[role, service]

    def role_arn(self, role: str) -> str:
        """The ARN of that role."""
        if role in READERS:
            variables = self._configuration("FetchPage")["Environment"]["Variables"]
            own, others = variables["OWN_READER_ROLE_ARN"], variables["READER_ROLE_ARN"]
            return str(own if role == "Reader" else others.format(account=OTHER_ACCOUNT))
        return str(self._configuration(role)["Role"])

    def names(self, summary: Mapping[str, Any]) -> dict[str, str]:
        """The names of the deployment that attempts have, with those of a run."""
        run = str(summary["run_id"])
        described = self.stepfunctions.describe_state_machine(stateMachineArn=self.outputs["CrawlMachineArn"])
        executions = self.stepfunctions.list_executions(stateMachineArn=self.outputs["CrawlMachineArn"])["executions"]
        return {
            "account": ACCOUNT,
            "bucket": self.outputs["ItemsBucket"],
            "items": self.outputs["ItemsTable"],
            "runs": self.outputs["RunsTable"],
            "runs_arn": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{self.outputs['RunsTable']}",
            "database": self.outputs["Database"],
            "workgroup": self.outputs["WorkGroup"],
            "notices": self.outputs["NoticesTopic"],
            "topic": f"arn:aws:sns:us-east-1:{ACCOUNT}:others",
            "queue": self.outputs["DeadLetterQueue"],
            "others_queue": f"{self.emulator.url}/{ACCOUNT}/enforced-queue",
            "crawl": self.outputs["CrawlMachineArn"],
            "page_loop": self.outputs["PageLoopArn"],
            "execution": executions[0]["executionArn"],
            "fetch_page": self.function("FetchPage"),
            "publish_run": self.function("PublishRun"),
            "crawl_role": described["roleArn"].rpartition("/")[2],
            "publish_role": self.role_arn("PublishRun").rpartition("/")[2],
            "deploy_role": f"cdk-hnb659fds-deploy-role-{ACCOUNT}-us-east-1",
            "run_id": run,
            "page": self.manifest(summary)["files"][0]["key"],
            "manifest": f"runs/{run}/manifest.json",
            "targets": f"runs/{run}/targets.json",
            "report": f"runs/{run}/report.html",
        }

    def _configuration(self, function: str) -> dict[str, Any]:
        functions = self.emulator.client("lambda")
        found: dict[str, Any] = functions.get_function_configuration(FunctionName=self.function(function))
        return found

    def _assume(self, role: str) -> dict[str, str]:
        sts, asked = self.emulator.client("sts"), {}
        if role in READERS:
            sts = self.as_role("FetchPage", "sts")
            asked["ExternalId"] = self._configuration("FetchPage")["Environment"]["Variables"]["EXTERNAL_ID"]
        got = sts.assume_role(RoleArn=self.role_arn(role), RoleSessionName="attempts", **asked)["Credentials"]
        return {
            "aws_access_key_id": got["AccessKeyId"],
            "aws_secret_access_key": got["SecretAccessKey"],
            "aws_session_token": got["SessionToken"],
        }


@contextmanager
def enforced(folder: Path) -> Iterator[Enforced]:
    """Deploy the demo's crawls and those of `enforced.yaml`, and the reader's stack to the other account."""
    crawls: dict[str, Any] = {}
    for path in (PROJECT / "local" / "demo.yaml", PROJECT / "tests" / "e2e" / "enforced.yaml"):
        crawls |= yaml.safe_load(path.read_text(encoding="utf-8"))["crawls"]
    catalogue, assembly = folder / "crawls.yaml", folder / "assembly"
    catalogue.write_text(yaml.safe_dump({"crawls": crawls}), encoding="utf-8")
    with Emulator(wait_scale=0.01, auth=True) as emulator:
        synth(emulator, {"catalogue": str(catalogue), "emulator": "true"}, assembly)
        deployed = Enforced(emulator, deploy_assembly(emulator, assembly))
        deploy_reader(deployed, OTHER_ACCOUNT, assembly)
        yield deployed
