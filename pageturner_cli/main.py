"""The command ``pageturner``: its commands, and how each ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from pageturner_cli.aws_errors import AWS_ERRORS, failure_of
from pageturner_cli.failures import COMPLETE, INTERRUPTED, USAGE, Failure
from pageturner_cli.options import Settings, common
from pageturner_cli.text import clean, escape_what_cannot_be_encoded

# The module of each command: what is not asked for is not imported.
_COMMANDS = {
    "start": "starting",
    "watch": "runs",
    "runs": "runs",
    "show": "runs",
    "why": "runs",
    "resume": "starting",
    "dry-run": "starting",
    "changes": "data",
    "items": "data",
    "query": "data",
    "crawls": "state",
    "doctor": "state",
}
_EPILOG = """\
\b
Exit codes: 0 complete; 1 not complete, or something is wrong; 2 wrong usage;
3 another run of the crawl goes on; 4 AWS cannot be reached or refuses;
130 interrupted.
"""


class _Commands(click.Group):
    """Imports the module of a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"pageturner_cli.commands.{_COMMANDS[cmd_name]}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def invoke(self, ctx: click.Context) -> int:
        """Run a command, and return its exit code. Who read from the pipe may have read enough."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # click would make it a failure
            # What is still in the buffer must not fail at the exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return COMPLETE
        return code if isinstance(code, int) else COMPLETE


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@common
def pageturner() -> None:
    """Start, watch and explain the runs of a deployed Pageturner.

    \b
    pageturner start buckets --watch
    pageturner why
    pageturner query 'SELECT * FROM runs'
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line. Returns the exit code."""
    settings = Settings()
    if isinstance(sys.stdout, io.TextIOWrapper):
        escape_what_cannot_be_encoded(sys.stdout)
    try:
        return int(pageturner.main(arguments, prog_name="pageturner", standalone_mode=False, obj=settings) or COMPLETE)
    except Failure as failure:
        return _say(str(failure), failure.code)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except AWS_ERRORS as error:
        of_aws = failure_of(error, settings.asked)
        return _say(str(of_aws), of_aws.code)


def command() -> None:
    """What the script ``pageturner`` runs."""
    sys.exit(main())


def _say(text: str, code: int) -> int:
    sys.stdout.flush()
    print(clean(text), file=sys.stderr)
    return code
