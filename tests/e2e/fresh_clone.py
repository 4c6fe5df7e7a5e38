"""A fresh copy of the project, in which `make local` runs, and the environment of a person who works in it.

It shares what `make` has installed, so that nothing is installed twice.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from local.emulator import PROJECT, environment_without_aws

INSTALLED = (".venv", ".venv-ministack", "node_modules")
STAMPS = ".venv/bin/.run-stamp .venv/bin/.dev-stamp .venv-ministack/bin/.stamp node_modules/.package-lock.json"
NOT_COPIED = (*INSTALLED, ".git", "cdk.out", "__pycache__", ".*_cache", ".hypothesis")


@dataclass
class Clone:
    """A copy of the project, and the environment of a person who works in it."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def run(self, command: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        would_install = subprocess.run(f"make --question {STAMPS}", shell=True, cwd=self.folder, env=self.environment)
        assert would_install.returncode == 0, "what is installed is the project's own, and others are using it"
        # Version 1 of the AWS CLI asks queue.amazonaws.com for queues, whatever AWS_ENDPOINT_URL says.
        ended = subprocess.run(
            command.replace("aws sqs", 'aws --endpoint-url "$AWS_ENDPOINT_URL" sqs'),
            shell=True,
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout

    @property
    def dead_letters(self) -> str:
        """The URL of the queue."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName="Pageturner")["Stacks"]
        (url,) = (each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "DeadLetterQueue")
        return str(url)

    @property
    def runs(self) -> str:
        """The name of the runs table, which outlasts the stack."""
        (name,) = (each for each in self.client("dynamodb").list_tables()["TableNames"] if "RunTable" in each)
        return str(name)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@contextmanager
def cloned(folder: Path) -> Iterator[Clone]:
    """Make a copy in which `make local` runs, and whose environment has what it says to export."""
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for name in INSTALLED:
        (folder / name).symlink_to(PROJECT / name)
    # Of what the tests need, a person has only the AWS CLI. No environment is activated.
    tools = folder.with_name("bin")
    tools.mkdir()
    (tools / "aws").symlink_to(PROJECT / ".venv" / "bin" / "aws")
    others = [each for each in os.environ["PATH"].split(os.pathsep) if Path(each) != PROJECT / ".venv" / "bin"]
    temporary = folder.with_name("tmp")
    temporary.mkdir()
    environment = {
        **{name: value for name, value in environment_without_aws().items() if not name.startswith("MAKE")},
        "PATH": os.pathsep.join([str(tools), *others]),
        "TMPDIR": str(temporary),
    }
    process = subprocess.Popen(
        ["make", "local"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    made = Clone(folder, environment, process)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            made.said.append(line.strip())
            if exported := re.match(r"export (.*)", line.strip()):
                for name, _, value in (pair.partition("=") for pair in exported[1].split()):
                    made.environment[name] = value
            if "Ctrl-C" in line:
                break
        assert process.poll() is None, "\n".join(made.said)
        yield made
        os.killpg(process.pid, signal.SIGINT)
        assert "Traceback" not in process.stdout.read()
        # make dies of the signal itself, unless it was started with SIGINT ignored, as in the background of a script.
        assert process.wait() in (0, -signal.SIGINT), "Ctrl-C is how it ends"
        assert list(temporary.iterdir()) == [], "nothing is left behind"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        process.stdout.close()
