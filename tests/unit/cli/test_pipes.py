"""Who reads from a pipe may have read enough: that is no failure. And the other end may not know every character."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from local.emulator import PROJECT

# A command without AWS, in a process of its own, because it closes standard output.
PROGRAM = """
import sys
import click
from pageturner_cli import main, screen
from pageturner_cli.commands import state
from pageturner_cli.text import Column

@click.command()
def crawls():
    screen.rows([Column("crawl")], [["✓ 東京"]] * 20_000)
    return 1

state.crawls = crawls
sys.exit(main.main(["crawls"]))
"""


@pytest.mark.parametrize(("shell", "code"), [("| head -1", 0), ("> /dev/null", 1)])
def test_the_exit_code_of_a_table_in_a_pipe(shell: str, code: int) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'lambdas'}", "PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$0" -c "$1" {shell}', sys.executable, PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, "")
