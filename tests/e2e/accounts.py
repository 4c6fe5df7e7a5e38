"""Other accounts on the emulator: their clients, and the reader stack in them, as StackSets would deploy it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.deployment import reader_template
from local.emulator import ACCOUNT, Emulator
from tests.e2e.conftest import OnEmulator

READER = "PageturnerReader"


def client_of(emulator: Emulator, account: str, service: str, region: str = "us-east-1") -> Any:
    """Return a client of an account: the emulator accepts an account ID as that account's access key."""
    key = "test" if account == ACCOUNT else account
    return emulator.client(service, region_name=region, aws_access_key_id=key)


def deploy_reader(deployed: OnEmulator, account: str, assembly: Path) -> None:
    """Deploy the reader stack of a deployment to another account."""
    cloudformation = client_of(deployed.emulator, account, "cloudformation")
    cloudformation.create_stack(
        StackName=READER,
        TemplateBody=reader_template(assembly),
        Parameters=[
            {"ParameterKey": "PageturnerAccount", "ParameterValue": ACCOUNT},
            {"ParameterKey": "ExternalId", "ParameterValue": deployed.outputs["ExternalId"]},
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=READER, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
