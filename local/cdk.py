"""The CDK CLI as this project runs it: ``python -m local.cdk deploy`` is `make deploy`.

If AWS_ENDPOINT_URL names the emulator of `make local`, the CLI works on that: with the emulator's credentials, and
without asking for approval.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import botocore.session
from botocore.exceptions import BotoCoreError

from infra.emulator_endpoint import EndpointError, is_emulator
from local.emulator import PROJECT, environment_of_emulator

CDK = PROJECT / "node_modules" / ".bin" / "cdk"
# What the CLI would ask a person.
_UNATTENDED = {"deploy": ("--require-approval", "never"), "destroy": ("--force",)}


def main() -> int:
    """Run the CLI with the arguments of the command line, in place of this process."""
    command = [str(CDK), *sys.argv[1:], "--no-notices"]
    environment = dict(os.environ)
    endpoint_url = os.environ.get("AWS_ENDPOINT_URL")
    try:
        if is_emulator(endpoint_url):
            print(f"AWS_ENDPOINT_URL is {endpoint_url}, the emulator: this works on that, and not on AWS.")
            command += _UNATTENDED.get(sys.argv[1], ())
            environment = environment_of_emulator(str(endpoint_url))
        elif endpoint_url:
            print(f"AWS_ENDPOINT_URL is {endpoint_url}, which is not the emulator: this takes it for AWS.")
        elif sys.argv[1] != "synth" and not _has_credentials():
            print(
                "There are no AWS credentials here: set AWS_PROFILE, or AWS_ENDPOINT_URL for `make local`'s emulator."
            )
    except EndpointError as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.flush()
    return os.execve(command[0], command, cdk_environment(environment))  # noqa: S606 - the path is a constant


def _has_credentials() -> bool:
    try:
        return botocore.session.Session().get_credentials() is not None
    except BotoCoreError as error:  # a profile that is not there
        print(error)
        return True


def cdk_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for the CDK CLI, in which it neither reports anything nor looks for news."""
    return {
        **environment,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20",
    }


if __name__ == "__main__":
    sys.exit(main())
