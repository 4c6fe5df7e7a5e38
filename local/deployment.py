"""Deploys the real stack to the emulator, with the real CDK CLI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.emulator import ACCOUNT, PROJECT, REGION, Emulator, kill_group

CDK = PROJECT / "node_modules" / ".bin" / "cdk"


class DeploymentError(Exception):
    """The CDK CLI failed; the message has what it said."""


def deploy(emulator: Emulator, context: Mapping[str, str] | None = None) -> dict[str, str]:
    """Synthesize, bootstrap and deploy, with these context values; return the stack's outputs."""
    settings = {"emulator": "true", **(context or {})}
    flags = [flag for name, value in settings.items() for flag in ("--context", f"{name}={value}")]
    with tempfile.TemporaryDirectory(prefix="pageturner-") as folder:
        outputs = Path(folder, "outputs.json")
        assembly = str(Path(folder, "assembly"))
        _cdk(emulator, folder, "synth", "--quiet", "--output", assembly, *flags)
        _cdk(emulator, folder, "bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", assembly)
        deployment = ["deploy", "--app", assembly, "--require-approval", "never", "--outputs-file", str(outputs)]
        _cdk(emulator, folder, *deployment)
        (stack,) = json.loads(outputs.read_text(encoding="utf-8")).values()
        return dict(stack)


def reader_template(emulator: Emulator, context: Mapping[str, str]) -> str:
    """Return the template of the stack of other accounts, synthesized with these context values."""
    flags = [flag for name, value in context.items() for flag in ("--context", f"{name}={value}")]
    with tempfile.TemporaryDirectory(prefix="pageturner-") as folder:
        assembly = str(Path(folder, "assembly"))
        _cdk(emulator, folder, "synth", "--quiet", "--output", assembly, *flags)
        (template,) = Path(assembly, "assembly-Reader").glob("*.template.json")
        return template.read_text(encoding="utf-8")


def _cdk(emulator: Emulator, folder: str, *arguments: str) -> None:
    process = subprocess.Popen(
        [str(CDK), *arguments, "--no-notices"],
        cwd=PROJECT,
        env=cdk_environment(emulator.environment(), folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A group of its own: when we are stopped, the app and its pip, which write to our folder, are to go first.
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        kill_group(process)
        raise
    if process.returncode:
        raise DeploymentError(f"cdk {arguments[0]} failed:\n{output}")


def cdk_environment(environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """That environment for the CDK CLI: with temporary files in the folder, and no network but what it was given."""
    return {
        **environment,
        # `cdk.json` runs the app with the python3 that is found first.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "TMPDIR": folder,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "18,20",
    }
