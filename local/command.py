"""Runs a command quietly: what it prints is for a progress line while it runs, and for a person only if it fails."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_ESCAPES = re.compile(r"\033\[[0-9;]*m")
# In a container that reaps no zombies, a dead group never goes away.
_GONE_SECONDS = 2


class CommandError(Exception):
    """A command failed with exit code `code`; `output` is all that it printed."""

    def __init__(self, command: list[str], code: int, output: str) -> None:
        super().__init__(f"{' '.join(command[:2])} … failed with exit code {code}:\n{output}")
        self.code = code
        self.output = output


def run(
    command: list[str],
    show: Callable[[str], None],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command, and call `show` with each line that it prints. Raises `CommandError`."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A group of its own: when we are stopped, all that it started, which may still write files, ends first.
        start_new_session=True,
    )
    printed = []
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        with process.stdout as lines:
            for line in lines:
                printed.append(line)
                text = _ESCAPES.sub("", line).strip()
                if text and not text.startswith("WARNING"):
                    show(text)
        code = process.wait()
    except BaseException:
        kill_group(process)
        raise
    if code:
        raise CommandError(command, code, "".join(printed))


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process that we started as the head of a group, and all of the group, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + _GONE_SECONDS
    # What still dies can still write. On macOS a group of zombies answers with PermissionError.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.02)
