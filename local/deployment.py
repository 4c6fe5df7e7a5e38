"""Deploys the real stack to the emulator, with the real CDK CLI."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from local.cdk import CDK, cdk_environment
from local.command import run
from local.emulator import ACCOUNT, PROJECT, REGION, Emulator

Show = Callable[[str], None]


class Deployment:
    """Synthesizes once, with these context values, into a temporary folder or `assembly`; a context manager."""

    def __init__(
        self, emulator: Emulator, context: Mapping[str, str] | None = None, assembly: Path | None = None
    ) -> None:
        self._emulator = emulator
        self._kept_assembly = assembly
        self._flags = [flag for name, value in (context or {}).items() for flag in ("--context", f"{name}={value}")]

    def __enter__(self) -> Deployment:
        self._folder = tempfile.TemporaryDirectory(prefix="pageturner-")
        self._assembly = str(self._kept_assembly or Path(self._folder.name, "assembly"))
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def synth(self, show: Show) -> None:
        """Synthesize all stacks. Raises `CommandError`, as all of these do."""
        self._cdk(show, "synth", "--quiet", "--output", self._assembly, *self._flags)

    def bootstrap(self, show: Show) -> None:
        """Put CDK's own stack into the emulator's account."""
        self._cdk(show, "bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", self._assembly)

    def deploy(self, show: Show) -> dict[str, str]:
        """Deploy the stack, and return its outputs."""
        outputs = Path(self._folder.name, "outputs.json")
        arguments = ["--require-approval", "never", "--progress", "events", "--outputs-file", str(outputs)]
        self._cdk(show, "deploy", "--app", self._assembly, *arguments)
        (stack,) = json.loads(outputs.read_text(encoding="utf-8")).values()
        return dict(stack)

    def _cdk(self, show: Show, *arguments: str) -> None:
        environment = {**cdk_environment(self._emulator.environment()), "TMPDIR": self._folder.name}
        run([str(CDK), *arguments, "--no-notices"], show, env=environment, cwd=PROJECT)


def synth(emulator: Emulator, context: Mapping[str, str], assembly: Path) -> None:
    """Synthesize into a folder without a word."""
    with Deployment(emulator, context, assembly) as deployment:
        deployment.synth(_silently)


def deploy_assembly(emulator: Emulator, assembly: Path) -> dict[str, str]:
    """Bootstrap, and deploy what was synthesized, without a word; return the stack's outputs."""
    with Deployment(emulator, assembly=assembly) as deployment:
        deployment.bootstrap(_silently)
        return deployment.deploy(_silently)


def deploy(emulator: Emulator, context: Mapping[str, str] | None = None) -> dict[str, str]:
    """Synthesize, bootstrap and deploy without a word; return the stack's outputs."""
    with Deployment(emulator, context) as deployment:
        deployment.synth(_silently)
        deployment.bootstrap(_silently)
        return deployment.deploy(_silently)


def reader_template(assembly: Path) -> str:
    """Return the template of the stack for other accounts."""
    (template,) = (assembly / "assembly-Reader").glob("*.template.json")
    return template.read_text(encoding="utf-8")


def _silently(_: str) -> None:
    """For tests, which show nothing."""
