"""What every command takes: which stack, with which credentials, and whether a program reads the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pageturner_cli.asking import DEFAULT_STACK
from pageturner_cli.aws_errors import AWS_ERRORS, Asked
from pageturner_cli.failures import Failure

_Command = TypeVar("_Command", bound=Callable[..., Any])
_MOST_COMPLETED = 50


@dataclass
class Settings:
    """The common options of a command line, which can stand before and behind the command."""

    stack: str | None = None
    profile: str | None = None
    region: str | None = None
    json: bool = False

    @cached_property
    def asked(self) -> Asked:
        """Which stack is meant."""
        return Asked(self.stack or DEFAULT_STACK, self.region, self.profile)

    @cached_property
    def deployment(self) -> Any:
        """The deployment (`pageturner_cli.deployment.Deployment`). boto3 takes its time: --help does not need it."""
        from pageturner_cli.deployment import Deployment

        return Deployment.of(self.asked)


pass_settings = click.make_pass_decorator(Settings, ensure=True)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value is not None and value is not False:
        setattr(context.ensure_object(Settings), str(parameter.name), value)
    return value


def common(command: _Command) -> _Command:
    """Give a command the common options."""
    for option in (
        click.option("--json", is_flag=True, callback=_keep, expose_value=False, help="Print JSON, for programs."),
        click.option("--region", callback=_keep, expose_value=False, help="The stack's region, as for boto3."),
        click.option("--profile", callback=_keep, expose_value=False, help="A profile of the AWS CLI."),
        click.option(
            "--stack",
            envvar="PAGETURNER_STACK",
            callback=_keep,
            expose_value=False,
            help=f"The stack's name; PAGETURNER_STACK does the same.  [default: {DEFAULT_STACK}]",
        ),
    ):
        command = option(command)
    return command


def complete_crawls(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of crawls that have run; nothing where the stack cannot be asked."""
    return [CompletionItem(name) for name in _asked(context, _crawls) if name.startswith(incomplete)]


def complete_runs(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of crawls, and of their latest runs."""
    found = [*_asked(context, _crawls), *_asked(context, _runs)]
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def _asked(context: click.Context, ask: Callable[[Any], list[str]]) -> list[str]:
    from pageturner_cli.deployment import Deployment

    given = context.find_object(Settings) or Settings()
    for name in ("stack", "profile", "region"):
        # A command line that is completed runs no callbacks of options.
        if context.params.get(name):
            setattr(given, name, context.params[name])
    try:
        return ask(Deployment.of(given.asked, in_a_hurry=True))
    except (*AWS_ERRORS, Failure):
        return []


def _crawls(deployment: Any) -> list[str]:
    from pageturner_cli import finding

    return finding.names(deployment)


def _runs(deployment: Any) -> list[str]:
    from pageturner_cli import finding

    return [row.run_id for row in islice(finding.latest_runs(deployment, None, _MOST_COMPLETED), _MOST_COMPLETED)]
