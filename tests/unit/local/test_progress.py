"""How `make` shows its steps: on a terminal of any width, in a log, and when a step fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from local.command import CommandError, run
from tests.pseudo_terminal import drawn_by

PROJECT = Path(__file__).parents[3]
NOISY = "import sys, time; print('WARNING: noise'); print('Collecting ' + 60 * 'x', flush=True); time.sleep(1.2)"


@pytest.mark.parametrize("columns", [20, 62, 200])
def test_a_line_fits_the_terminal_and_changes_in_place(columns: int) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "local.step", "Installing", sys.executable, "-c", NOISY]
    drawn = drawn_by(command, columns, environment)
    lines = [line for line in re.split(r"\r\x1b\[K|\r\n", drawn) if line]
    assert max(map(len, lines)) < columns
    assert lines[0].startswith("…   0 s  Installing"[: columns - 2])
    assert lines[-1].startswith("✓   1 s  Installing"[: columns - 2])
    assert drawn.count("\n") == 1
    assert "noise" not in drawn


def test_in_a_log_a_step_is_two_lines() -> None:
    command = [sys.executable, "-m", "local.step", "Installing", sys.executable, "-c", NOISY]
    ended = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    assert re.fullmatch(r"Installing …\n✓ +\d+ s\n", ended.stdout)


def test_a_step_that_fails_shows_all_that_it_said_and_its_exit_code() -> None:
    failing = "import sys; print('WARNING: noise'); print('no such package', file=sys.stderr); sys.exit(3)"
    command = [sys.executable, "-m", "local.step", "Installing", sys.executable, "-c", failing]
    ended = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert ended.returncode == 3
    assert {"WARNING: noise", "no such package"} <= set(ended.stdout.splitlines())
    assert "✗" in ended.stdout


def test_a_command_that_is_interrupted_goes_with_all_that_it_started() -> None:
    child = "import time; print('up', flush=True); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    began: list[str] = []

    def interrupt(line: str) -> None:
        began.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([sys.executable, "-c", parent], interrupt)
    assert began == ["up"]


def test_a_failed_command_is_named() -> None:
    with pytest.raises(CommandError, match="failed with exit code 3") as raised:
        run([sys.executable, "-c", "print('why'); raise SystemExit(3)"], lambda _: None)
    assert (raised.value.code, raised.value.output) == (3, "why\n")
