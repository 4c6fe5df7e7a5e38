"""Holds all stacks against AWS's own rules for solutions, with cdk-nag, whatever the settings.

What these rules find is either mended, or acknowledged with its reason where it is made (`infra.acknowledge`).
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk
from cdk_nag import AwsSolutionsChecks

from infra.pageturner_stack import PageturnerStack
from infra.reader_role import ReaderRoleStack
from infra.settings import Settings
from local.emulator import PROJECT

_VARIANTS: Mapping[str, Mapping[str, str]] = {
    "as shipped": {},
    "with all that can be set": {
        "retain_data": "false",
        "kms_key": "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "subnet_ids": "subnet-0123456789abcdef0",
        "security_group_ids": "sg-0123456789abcdef0",
        "access_logs_bucket": "the-logs",
        "adhoc_crawls": "true",
        "read_policies": "ReadOnlyAccess",
        "log_level": "DEBUG",
        "notice_emails": "you@example.com",
    },
}


def main() -> int:
    """Print what is found and not acknowledged, and return 1, or return 0."""
    code = 0
    for variant, context in _VARIANTS.items():
        for found in findings(context):
            print(f"cdk-nag, {variant}: {found}", file=sys.stderr)
            code = 1
    return code


def findings(context: Mapping[str, str]) -> list[str]:
    """Return what is found and not acknowledged in all stacks, with these settings."""
    flags = json.loads((PROJECT / "cdk.json").read_text())["context"]
    with tempfile.TemporaryDirectory(prefix="pageturner-") as folder:
        given: dict[str, Any] = {**flags, "aws:cdk:bundling-stacks": [], **context}
        app = aws_cdk.App(context=given, outdir=folder, builtin_cloud_formation_validation=False)
        settings = Settings.from_context(app.node)
        PageturnerStack(app, settings)
        # Of the stage too, though it is a stage of its own.
        ReaderRoleStack(aws_cdk.Stage(app, "Reader"), settings)
        aws_cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        report_file = Path(folder, "validation-report.json")
        # What is found makes it fail, and is printed.
        with Path(folder, "printed").open("w") as printed, contextlib.redirect_stderr(printed):
            try:
                app.synth()
            except RuntimeError:
                if not report_file.exists():
                    raise
        report = json.loads(report_file.read_text())
    return [
        f"{violation['ruleName']}: {violation['description']} {construct['constructPath']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


if __name__ == "__main__":
    sys.exit(main())
