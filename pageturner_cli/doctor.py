"""Looks at a deployment from outside: what is there, what answers, what starts by itself, and what has gone wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from pageturner import version
from pageturner.crawls.crawl import ADHOC_PREFIX, Crawl
from pageturner.stores.history import CrawlStatus
from pageturner_cli import asking, executions
from pageturner_cli.aws_errors import AWS_ERRORS, failure_of
from pageturner_cli.deployment import Deployment
from pageturner_cli.text import ago

_THREADS = 8
Level = Literal["ok", "wrong", "unknown", "note"]


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do about it. "unknown" could not be looked at; a "note" is no
    fault.
    """

    what: str
    level: Level
    said: str
    to_do: str = ""


@dataclass(frozen=True)
class Doctor:
    """Looks at a deployment, at a time."""

    deployment: Deployment
    now: datetime

    def checks(self) -> Iterator[Check]:
        """Yield what was found, one after another. What the person may not look at is unknown.

        Raises as `Deployment.outputs` does: without a stack there is nothing to look at.
        """
        _ = self.deployment.outputs
        looks: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
            ("stack", self._stack),
            ("state machine", self._machine),
            ("functions", self._functions),
            ("bucket", self._bucket),
            ("tables", self._tables),
            ("schedules", self._schedules),
            ("dead letters", self._dead_letters),
            ("accounts", self._accounts),
            ("crawls", self._crawls),
        )
        for what, look in looks:
            try:
                yield from look()
            except AWS_ERRORS as error:
                said = str(failure_of(error, self.deployment.asked)).partition("\n")
                yield Check(what, "unknown", f"could not be looked at: {said[0]}", said[2])

    def _stack(self) -> Iterator[Check]:
        stack, outputs = self.deployment.stack, self.deployment.outputs
        status = stack["StackStatus"]
        is_well = status.endswith("_COMPLETE") and "ROLLBACK" not in status
        where = f"{stack['StackName']} in {self.deployment.region}, account {self.deployment.machine.split(':')[4]}"
        if is_well:
            yield Check("stack", "ok", f"{where}: {status}")
        elif status.endswith("_IN_PROGRESS"):
            yield Check("stack", "note", f"{where}: {status}; look again when that is over")
        else:
            yield Check("stack", "wrong", f"{where}: {status}", "make deploy, and read what CloudFormation says")
        deployed = outputs.get("Version")
        if deployed is None:
            yield Check("version", "unknown", "the deployment does not say which it is", "make deploy")
        elif deployed == version.of_code():
            yield Check("version", "ok", f"{deployed}, that of this terminal")
        else:
            said = f"{deployed} is deployed, and this terminal is {version.of_code()}"
            yield Check("version", "note", said, "make deploy deploys this one")

    def _machine(self) -> Iterator[Check]:
        for output in ("CrawlMachineArn", "PageLoopArn"):
            arn = self.deployment.outputs.get(output, "")
            name = arn.rpartition(":")[2]
            try:
                found = self.deployment.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
            except ClientError as error:
                if error.response["Error"]["Code"] != "StateMachineDoesNotExist":
                    raise
                yield Check("state machine", "wrong", f"{name} is gone", "make deploy")
                continue
            is_well = found.get("status", "ACTIVE") == "ACTIVE"
            yield Check("state machine", "ok" if is_well else "wrong", f"{name}: {found.get('status', 'ACTIVE')}")

    def _functions(self) -> Iterator[Check]:
        client = self.deployment.client("lambda")
        pages = self.deployment.client("cloudformation").get_paginator("list_stack_resources")
        names = [
            each["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.deployment.asked.stack)
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == "AWS::Lambda::Function"
        ]

        def state(name: str) -> tuple[str, str]:
            try:
                found = client.get_function_configuration(FunctionName=name)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                return name, "gone"
            if found.get("LastUpdateStatus", "Successful") == "Failed":
                return name, f"its last update failed: {found.get('LastUpdateStatusReason', '')}"
            # One that was not called for weeks is Inactive, and answers after a longer start.
            return name, "" if found.get("State", "Active") in ("Active", "Inactive") else str(found["State"])

        with ThreadPoolExecutor(_THREADS) as pool:
            wrong = [(name, said) for name, said in pool.map(state, names) if said]
        for name, said in wrong:
            yield Check("functions", "wrong", f"{name}: {said}", "make deploy")
        if not wrong:
            yield Check("functions", "ok", f"{len(names)} of {len(names)} are there")

    def _bucket(self) -> Iterator[Check]:
        bucket = self.deployment.outputs["ItemsBucket"]
        try:
            self.deployment.client("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            yield Check("bucket", "wrong", f"{bucket} is gone", "make destroy, and make deploy: its data is lost")
        else:
            yield Check("bucket", "ok", bucket)

    def _tables(self) -> Iterator[Check]:
        for output in ("ItemsTable", "RunsTable"):
            name = self.deployment.outputs[output]
            try:
                found = self.deployment.client("dynamodb").describe_table(TableName=name)["Table"]
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceNotFoundException":
                    raise
                yield Check("tables", "wrong", f"{name} is gone", "restore it from a backup, or make deploy anew")
                continue
            is_well = found["TableStatus"] in ("ACTIVE", "UPDATING")
            yield Check("tables", "ok" if is_well else "wrong", f"{name}: {found['TableStatus']}")

    def _schedules(self) -> Iterator[Check]:
        statuses = {each.crawl: each for each in self.deployment.stores.history.crawls()}
        found = list(self._own_schedules())
        if not found:
            yield Check(
                "schedules", "note", "no schedule starts a crawl", "schedule: in the catalogue, and make deploy"
            )
        for crawl, schedule in found:
            when = f"{crawl}: {schedule['ScheduleExpression']}"
            said = f"{when}, last complete {_complete(statuses.get(crawl), self.now)}"
            if schedule["State"] == "ENABLED":
                yield Check("schedules", "ok", said)
            else:
                to_do = f"enabled: true in the catalogue of {crawl}, if it is to start by itself"
                yield Check("schedules", "note", f"{said}; it is off", to_do)

    def _own_schedules(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        scheduler = self.deployment.client("scheduler")
        for page in scheduler.get_paginator("list_schedules").paginate(GroupName="default"):
            for each in page["Schedules"]:
                # What lists schedules does not always say what they start.
                if each.get("Target", {}).get("Arn", self.deployment.machine) != self.deployment.machine:
                    continue
                schedule = scheduler.get_schedule(Name=each["Name"], GroupName="default")
                if schedule["Target"]["Arn"] == self.deployment.machine:
                    asked = json.loads(schedule["Target"].get("Input", "{}"))
                    yield str(asked.get("crawl", each["Name"])), schedule

    def _dead_letters(self) -> Iterator[Check]:
        queue = self.deployment.outputs.get("DeadLetterQueue")
        if queue is None:
            return
        answer = self.deployment.client("sqs").get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        count = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        if count:
            to_do = f"aws sqs receive-message --queue-url {queue} shows which; start those crawls by hand"
            yield Check("dead letters", "wrong", f"{count} starts of schedules could not be delivered", to_do)
        else:
            yield Check("dead letters", "ok", "none")

    def _accounts(self) -> Iterator[Check]:
        own, role = self.deployment.machine.split(":")[4], self._reader_role()
        for account, crawls in sorted(self._accounts_named().items()):
            if account == own:
                continue
            arn = role.get("READER_ROLE_ARN", "").replace("{account}", account)
            what = f"{account}, which {', '.join(sorted(crawls))} reads"
            try:
                self.deployment.client("sts").assume_role(
                    RoleArn=arn, RoleSessionName="pageturner-doctor", ExternalId=role.get("EXTERNAL_ID", "")
                )
            except (ClientError, BotoCoreError):
                # The role trusts the functions, and need not trust a person.
                said = f"{what}: whether {arn} is there cannot be seen from here, for it need not trust you"
                to_do = asking.typed(["dry-run", min(crawls)], self.deployment.asked)
                yield Check("accounts", "unknown", said, f"{to_do} asks the functions, which it does trust")
            else:
                yield Check("accounts", "ok", f"{what}: {arn} can be assumed")

    def _accounts_named(self) -> dict[str, set[str]]:
        """The accounts that the crawls name, as their last runs had them. The catalogue itself is in the functions."""
        found: dict[str, set[str]] = {}
        for status in self.deployment.stores.history.crawls():
            record = self.deployment.stores.runs.find(status.run_id) if status.run_id else None
            for account in Crawl.from_dict(record.crawl).account_choice.named if record is not None else ():
                found.setdefault(account, set()).add(status.crawl)
        return found

    def _reader_role(self) -> Mapping[str, str]:
        pages = self.deployment.client("cloudformation").get_paginator("list_stack_resources")
        for page in pages.paginate(StackName=self.deployment.asked.stack):
            for each in page["StackResourceSummaries"]:
                if each["ResourceType"] == "AWS::Lambda::Function" and "FetchPage" in each["LogicalResourceId"]:
                    found = self.deployment.client("lambda").get_function_configuration(
                        FunctionName=each["PhysicalResourceId"]
                    )
                    variables: Mapping[str, str] = found["Environment"]["Variables"]
                    return variables
        return {}

    def _crawls(self) -> Iterator[Check]:
        for status in self.deployment.stores.history.crawls():
            yield self._crawl(status)

    def _crawl(self, status: CrawlStatus) -> Check:
        why = asking.typed(["why", status.run_id or status.crawl], self.deployment.asked)
        said = f"{status.crawl}: last complete {_complete(status, self.now)}"
        if status.refused > 1:
            return Check("crawls", "wrong", f"{said}; {status.refused} starts in a row were refused", why)
        if status.ended_at is None:
            execution = executions.described(self.deployment, status.execution) if status.execution else None
            if execution is not None and execution.is_running:
                return Check("crawls", "ok", f"{said}; it runs")
            if status.run_id is None:
                return Check("crawls", "ok", said)
            return Check("crawls", "wrong", f"{said}; {status.run_id} has died without a verdict", why)
        if status.outcome in ("failed", "stopped"):
            # Nobody waits for the next run of a crawl that the catalogue does not have.
            level: Level = "note" if status.crawl.startswith(ADHOC_PREFIX) else "wrong"
            return Check("crawls", level, f"{said}; {status.run_id} {status.outcome}", why)
        return Check("crawls", "ok", said)


def _complete(status: CrawlStatus | None, now: datetime) -> str:
    return (ago(status.complete_ended_at, now) if status is not None else "") or "never"
