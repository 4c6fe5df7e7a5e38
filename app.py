"""The CDK application: settings in, two stacks out. It calls no AWS API."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import aws_cdk

# The catalogue and the error names are the functions' own.
sys.path.insert(0, str(Path(__file__).parent / "lambdas"))

from infra.emulator_endpoint import EndpointError, is_emulator
from infra.pageturner_stack import PageturnerStack
from infra.reader_role import ReaderRoleStack
from infra.settings import SettingError, Settings
from pageturner.errors import InvalidCrawlError


def main() -> None:
    """Synthesize the stacks, or say in words what is wrong with the settings or the catalogue."""
    app = aws_cdk.App()
    try:
        # Functions made for AWS lose the names of their errors on the emulator.
        if app.node.try_get_context("emulator") is None:
            app.node.set_context("emulator", is_emulator(os.environ.get("AWS_ENDPOINT_URL")))
        settings = Settings.from_context(app.node)
        PageturnerStack(app, settings)
        # A stage of its own, so that `cdk deploy` still means only the stack of this account.
        ReaderRoleStack(aws_cdk.Stage(app, "Reader"), settings)
    except (EndpointError, SettingError, InvalidCrawlError) as error:
        sys.exit(f"{error}")
    app.synth()


if __name__ == "__main__":
    main()
