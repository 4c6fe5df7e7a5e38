"""A deployed stack, as the terminal sees it: its outputs, and clients and stores for what they name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pageturner.stores import Stores
from pageturner_cli.aws_errors import Asked
from pageturner_cli.failures import UNREACHABLE, Failure

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=60, max_pool_connections=16
)
# Completion must not keep a person waiting.
_HURRIED = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=1, read_timeout=2)
_NEEDED = ("CrawlMachineArn", "ItemsBucket", "ItemsTable", "RunsTable", "Database", "WorkGroup")


@dataclass(frozen=True)
class Deployment:
    """The stack that was `asked` for, through a `session` of boto3's; AWS_ENDPOINT_URL counts, as ever.

    Everything raises botocore's errors, and `SinkError` where a store is asked.
    """

    asked: Asked
    session: Any
    in_a_hurry: bool = False
    given: Mapping[str, str] | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: Asked, *, in_a_hurry: bool = False) -> Deployment:
        """Return the stack in the account and region of a profile."""
        return cls(asked, boto3.Session(profile_name=asked.profile, region_name=asked.region), in_a_hurry)

    def client(self, service: str) -> Any:
        """Return the client of a service, always the same."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=_HURRIED if self.in_a_hurry else _CONFIG)
        return self._clients[service]

    @property
    def region(self) -> str:
        """The region."""
        return str(self.client("cloudformation").meta.region_name)

    @cached_property
    def stack(self) -> Mapping[str, Any]:
        """CloudFormation's description of the stack. Raises `Failure` if there is none."""
        try:
            found: Mapping[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.asked.stack)[
                "Stacks"
            ][0]
        except ClientError as error:
            said = error.response["Error"]
            if said["Code"] == "ValidationError" and "does not exist" in said["Message"]:
                raise self._no_stack() from error
            raise
        if found["StackStatus"] == "DELETE_COMPLETE":
            raise self._no_stack()
        return found

    def _no_stack(self) -> Failure:
        return Failure(
            f"There is no stack {self.asked.stack} in {self.region}, with these credentials.\n"
            "Name it with --stack or PAGETURNER_STACK, its region with --region, its account with --profile; "
            "make deploy deploys it.",
            UNREACHABLE,
        )

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs. Raises `Failure` if they are not those of Pageturner."""
        if self.given is not None:
            return self.given
        found = {each["OutputKey"]: each["OutputValue"] for each in self.stack.get("Outputs", ())}
        if missing := [name for name in _NEEDED if name not in found]:
            raise Failure(
                f"The stack {self.asked.stack} ({self.stack['StackStatus']}) has no output {missing[0]}: it is not "
                "Pageturner's, or was never deployed to its end.\nName another with --stack, or run make deploy.",
                UNREACHABLE,
            )
        return found

    @property
    def machine(self) -> str:
        """The ARN of the Crawl machine."""
        return self.outputs["CrawlMachineArn"]

    @property
    def account(self) -> str:
        """The account that it is deployed to."""
        return self.machine.split(":")[4]

    @cached_property
    def resources(self) -> list[tuple[str, str, str]]:
        """The resources of the stack: the type, the logical and the physical id of each."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            (each["ResourceType"], each["LogicalResourceId"], each.get("PhysicalResourceId", ""))
            for page in pages.paginate(StackName=self.asked.stack)
            for each in page["StackResourceSummaries"]
        ]

    @cached_property
    def stores(self) -> Stores:
        """The stores."""
        outputs = self.outputs
        return Stores(self.client, outputs["ItemsBucket"], outputs["ItemsTable"], outputs["RunsTable"])
