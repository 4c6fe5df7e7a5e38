"""Looks at a deployment from outside: what is there, what answers, what starts by itself, and what has gone wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from pageturner import version
from pageturner.messages import count_of
from pageturner_cli import asking
from pageturner_cli.aws_errors import AWS_ERRORS, failure_of
from pageturner_cli.checks import Check
from pageturner_cli.crawl_checks import CrawlChecks
from pageturner_cli.deployment import Deployment

_THREADS = 8


@dataclass
class Doctor:
    """Looks at a deployment, at a time. `is_refused` when AWS has refused to let something be looked at."""

    deployment: Deployment
    now: datetime
    is_refused: bool = False

    def checks(self) -> Iterator[Check]:
        """Yield what was found, one after another. What the person may not look at is unknown.

        Raises as `Deployment.outputs` does: without a stack there is nothing to look at.
        """
        _ = self.deployment.outputs
        of_crawls = CrawlChecks(self.deployment, self.now)
        looks: tuple[tuple[str, Callable[[], Iterator[Check]]], ...] = (
            ("stack", self._stack),
            ("state machine", self._machine),
            ("functions", self._functions),
            ("bucket", self._bucket),
            ("tables", self._tables),
            ("schedules", of_crawls.starts),
            ("dead letters", self._dead_letters),
            ("alarms", self._alarms),
            ("accounts", of_crawls.accounts),
            ("crawls", of_crawls.crawls),
        )
        for what, look in looks:
            try:
                yield from look()
            except AWS_ERRORS as error:
                self.is_refused = True
                said = str(failure_of(error, self.deployment.asked)).partition("\n")
                yield Check(what, "unknown", f"could not be looked at: {said[0]}", said[2])

    @property
    def _deploy(self) -> str:
        return asking.make("deploy", self.deployment.asked)

    def _stack(self) -> Iterator[Check]:
        stack, outputs = self.deployment.stack, self.deployment.outputs
        status = stack["StackStatus"]
        is_well = status.endswith("_COMPLETE") and "ROLLBACK" not in status
        where = f"{stack['StackName']} in {self.deployment.region}, account {self.deployment.account}"
        if is_well:
            yield Check("stack", "ok", f"{where}: {status}")
        elif status.endswith("_IN_PROGRESS"):
            yield Check("stack", "note", f"{where}: {status}; look again when that is over")
        else:
            yield Check("stack", "wrong", f"{where}: {status}", f"{self._deploy}, and read what CloudFormation says")
        deployed = outputs.get("Version")
        if deployed is None:
            yield Check("version", "unknown", "the deployment does not say which it is", self._deploy)
        elif deployed == version.of_code():
            yield Check("version", "ok", f"{deployed}, that of this terminal")
        else:
            said = f"{deployed} is deployed, and this terminal is {version.of_code()}"
            yield Check("version", "note", said, f"{self._deploy} deploys this one")

    def _machine(self) -> Iterator[Check]:
        for output in ("CrawlMachineArn", "PageLoopArn"):
            arn = self.deployment.outputs.get(output, "")
            name = arn.rpartition(":")[2]
            try:
                found = self.deployment.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
            except ClientError as error:
                if error.response["Error"]["Code"] != "StateMachineDoesNotExist":
                    raise
                yield Check("state machine", "wrong", f"{name} is gone", self._deploy)
                continue
            is_well = found.get("status", "ACTIVE") == "ACTIVE"
            yield Check("state machine", "ok" if is_well else "wrong", f"{name}: {found.get('status', 'ACTIVE')}")

    def _functions(self) -> Iterator[Check]:
        client = self.deployment.client("lambda")
        names = [physical for kind, _, physical in self.deployment.resources if kind == "AWS::Lambda::Function"]

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
            yield Check("functions", "wrong", f"{name}: {said}", self._deploy)
        if not wrong:
            yield Check("functions", "ok", f"{len(names)} of {len(names)} are there")

    def _bucket(self) -> Iterator[Check]:
        bucket = self.deployment.outputs["ItemsBucket"]
        try:
            self.deployment.client("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            yield Check(
                "bucket",
                "wrong",
                f"{bucket} is gone",
                f"{asking.make('destroy', self.deployment.asked)}, and {self._deploy}: its data is lost",
            )
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
                yield Check("tables", "wrong", f"{name} is gone", f"restore it from a backup, or {self._deploy} anew")
                continue
            is_well = found["TableStatus"] in ("ACTIVE", "UPDATING")
            yield Check("tables", "ok" if is_well else "wrong", f"{name}: {found['TableStatus']}")

    def _dead_letters(self) -> Iterator[Check]:
        queue = self.deployment.outputs.get("DeadLetterQueue")
        if queue is None:
            return
        answer = self.deployment.client("sqs").get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        count = int(answer["Attributes"]["ApproximateNumberOfMessages"])
        if count:
            read = f'aws sqs receive-message --queue-url "{queue}" --max-number-of-messages 10'
            to_do = f"{read} --visibility-timeout 600 --message-attribute-names All says which, and why"
            said = f"{count_of(count, 'letter')}: starts, or events, that could not be delivered"
            yield Check("dead letters", "wrong", said, to_do)
        else:
            yield Check("dead letters", "ok", "none")

    def _alarms(self) -> Iterator[Check]:
        prefix = f"{self.deployment.stack['StackName']}-"
        pages = self.deployment.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        found = [each for page in pages for each in page["MetricAlarms"]]
        # Those of a stack named Pageturner-Test begin with "Pageturner-", too.
        own = [each for each in found if "-" not in each["AlarmName"].removeprefix(prefix)]
        ringing = [each for each in own if each["StateValue"] == "ALARM"]
        for alarm in ringing:
            said, _, to_do = alarm.get("AlarmDescription", "").partition(" What to do: ")
            yield Check("alarms", "wrong", f"{alarm['AlarmName']}: {said}", to_do)
        if not ringing:
            yield Check("alarms", "ok", f"none of {len(own)} rings")
