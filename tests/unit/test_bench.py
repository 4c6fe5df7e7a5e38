"""The benchmark still runs, on fewer targets than it measures."""

from __future__ import annotations

import subprocess
import sys

from local.emulator import PROJECT


def test_what_is_measured_runs() -> None:
    # In a separate process, because the benchmark leaves its files open until it exits.
    script = "from bench import plan; plan.TARGETS = 2 * plan.PAGE; print([run() for run in plan.MEASURED.values()])"
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, check=True, cwd=PROJECT, env={"PYTHONPATH": "lambdas"}, stdout=subprocess.PIPE)
    assert b"14,000 items" in ran.stdout
