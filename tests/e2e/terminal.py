"""The terminal as a person uses it: a process with the emulator's environment."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.emulator import PROJECT, environment_of_emulator
from tests.e2e.conftest import Deployed

PROGRAM = (sys.executable, "-m", "pageturner_cli")


def _hears_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    error: str

    @property
    def document(self) -> Any:
        """The only JSON line, or the last one."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def documents(self) -> list[Any]:
        """All JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def commands(self) -> list[str]:
        """What it says is to be typed."""
        return [line.strip() for line in self.out.partition("Then type")[2].splitlines()[1:] if line.strip()]


@dataclass(frozen=True)
class Terminal:
    """Runs commands against a deployment."""

    deployed: Deployed
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Without a terminal's own settings, and with the emulator's."""
        mine = {**environment_of_emulator(self.deployed.emulator.url), "PYTHONPATH": str(PROJECT / "lambdas")}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "PAGETURNER_STACK"):
            mine.pop(name, None)
        return {**mine, **self.more}

    def run(self, *words: str) -> Said:
        """Run a command to its end."""
        ended = subprocess.run(
            [*PROGRAM, *words], cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return Said(ended.returncode, ended.stdout, ended.stderr)

    def typed(self, command: str) -> Said:
        """Run what is typed."""
        program, *words = shlex.split(command)
        assert program == "pageturner", command
        return self.run(*words)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [*PROGRAM, *words],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C is for it, and not for the tests.
            start_new_session=True,
            # What runs the tests in the background may have them ignore it, and whoever they start.
            preexec_fn=_hears_ctrl_c,
        )

    def shell(self, command: str) -> Said:
        """Run a line of bash in which `pageturner` is the program, and a failure in a pipe is its failure."""
        program = " ".join(map(shlex.quote, PROGRAM))
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f'pageturner() {{ {program} "$@"; }}; {command}'],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Said(ended.returncode, ended.stdout, ended.stderr)


def without_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without credentials, and without a place to find any."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_ACCESS_KEY")}
    kept.pop("AWS_SECRET_ACCESS_KEY", None)
    return {**kept, "HOME": os.devnull}
