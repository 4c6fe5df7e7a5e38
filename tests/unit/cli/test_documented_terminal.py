"""Every `pageturner …` in README and docs is a command line that the terminal understands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from pageturner_cli.main import pageturner
from pageturner_cli.options import Settings

PROJECT = Path(__file__).parents[3]
DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(?:sh|bash|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\s*(?:\.venv/bin/)?pageturner (.*)$")


def documented() -> list[str]:
    """What stands behind ``pageturner``, in blocks and in the text, without comments and what comes behind a pipe."""
    found: dict[str, None] = {}
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        lines = [line for block in _BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
        for line in lines + re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text)):
            if command := _COMMAND.match(line):
                found.setdefault(re.sub(r"\s(#|\|).*", "", command[1]).strip())
    return list(found)


def parsed(command: str) -> str:
    """Parse a command line as the terminal does, without running it; return the command's name."""
    group = click.Context(pageturner, obj=Settings())
    name, found, rest = pageturner.resolve_command(group, shlex.split(command))
    assert name is not None
    assert found is not None
    with found.make_context(name, rest, parent=group):
        return name


@pytest.mark.parametrize("command", documented())
def test_a_documented_command_line_is_understood(command: str) -> None:
    parsed(command)


def test_every_command_is_documented() -> None:
    assert {parsed(command) for command in documented()} == set(pageturner.list_commands(click.Context(pageturner)))


@pytest.mark.parametrize("wrong", ["why a-run --set mistrust=off", "resume", "publish a-run", "runs --limit many"])
def test_what_the_terminal_does_not_understand_is_noticed(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        parsed(wrong)
