"""`start`, `resume` and `dry-run`: what begins executions of the Crawl machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pageturner_cli import asking, executions, finding, outcomes, screen, showing
from pageturner_cli.executions import Execution
from pageturner_cli.failures import COMPLETE, INTERRUPTED, WRONG, Failure
from pageturner_cli.options import Settings, common, complete_crawls, complete_runs, pass_settings
from pageturner_cli.text import as_json
from pageturner_cli.watching import Watcher, drives, until_it_drives

# PlanRun answers in a second or two, also if it starts cold; a crawl with many targets takes longer.
_PLAN_SECONDS = 8.0

_words = click.argument("crawl", nargs=-1, shell_complete=complete_crawls)
_set = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a key of the crawl; YAML or JSON."
)
_parameters = click.option("--parameters", metavar="JSON", help="The parameters of the operation.")
_watch = click.option("--watch", "-w", "watched", is_flag=True, help="Watch the run until it ends.")


@click.command(
    epilog="""\b
pageturner start buckets --watch
pageturner start buckets --set deadline_hours=48 --set 'tolerate=[denied]'
pageturner start s3 list_objects_v2 --parameters '{"Bucket": "my-bucket"}'
pageturner start ec2:describe_vpcs iam:list_roles --set 'regions=[all]'
pageturner start --set operations=inventory
"""
)
@_words
@_parameters
@_set
@_watch
@common
@pass_settings
def start(
    given: Settings, crawl: tuple[str, ...], parameters: str | None, settings: tuple[str, ...], watched: bool
) -> int:
    """Start a crawl of the catalogue, or one that is not in it.

    CRAWL is the name of a crawl; or a service and an operation, as for boto3; or several of service:operation. Without
    it, --set has these.
    """
    asked = asking.asked_for(crawl, parameters, settings)
    name = str(asking.crawl_of(asked))
    execution = executions.begin(given.deployment, asked)
    return _begun(given, execution, executions.run_id_of(name, execution), name, watched=watched)


@click.command(
    epilog="""\b
pageturner resume buckets-20260203T040506Z-1a2b3c4d
pageturner resume buckets --set deadline_hours=48 --watch
"""
)
@click.argument("run", shell_complete=complete_runs)
@_set
@_watch
@common
@pass_settings
def resume(given: Settings, run: str, settings: tuple[str, ...], watched: bool) -> int:
    """Go on with a run that is not complete, from its checkpoints.

    RUN is the id of a run, or the name of a crawl, whose latest run is meant.
    """
    found = finding.found(given.deployment, run)
    execution = executions.begin(given.deployment, {"resume": found.run_id, **asking.settings_of(settings)})
    return _begun(given, execution, found.run_id, found.crawl, watched=watched)


def _begun(given: Settings, execution: Execution, run_id: str, crawl: str, *, watched: bool) -> int:
    """Say at once what has been started; then whether PlanRun takes it, or what it comes to."""
    deployment = given.deployment
    about = {"run_id": run_id, "crawl": crawl, "execution": execution.arn}
    if given.json:
        screen.document({**about, "console": executions.console(deployment, execution.arn)})
    else:
        screen.say(f"{run_id}  started")
        screen.field("console", executions.console(deployment, execution.arn))
        if not watched:
            screen.field("watch", asking.typed(["watch", run_id], deployment.asked), "bold")
    if not watched:
        ended = until_it_drives(deployment, execution, run_id, showing.pause, _PLAN_SECONDS)
        return _quickly_ended(given, ended, run_id)
    return follow(given, run_id, crawl, execution)


def _quickly_ended(given: Settings, execution: Execution, run_id: str) -> int:
    """Say what became of an execution that did not drive the run, or does not yet."""
    if execution.refusal is not None:
        raise execution.refusal
    if execution.is_running:
        return COMPLETE
    record = given.deployment.stores.runs.find(run_id)
    if execution.status == "SUCCEEDED":
        # It may have driven the run already. If not, that had succeeded, or was triggered before.
        if not drives(record, execution):
            screen.document(execution.output) if given.json else screen.say(str(execution.output["message"]))
        return COMPLETE
    said = f"{execution.status}: {execution.error}: {execution.said}"
    if record is not None and not drives(record, execution):
        raise Failure(f"{said}\n{run_id} was not resumed: it is as it was before.", WRONG)
    raise Failure(f"{said}\n{asking.typed(['why', run_id], given.asked)} says more.", WRONG)


def follow(given: Settings, run_id: str, crawl: str, execution: Execution) -> int:
    """Watch the run that an execution begins until it ends, and tell what it came to."""
    watcher = Watcher(given.deployment, finding.Found(given.deployment, run_id, crawl), execution)
    _show(given, watcher)
    if watcher.begun is not None and not drives(given.deployment.stores.runs.find(run_id), watcher.begun):
        return _quickly_ended(given, watcher.begun, run_id)
    return outcomes.tell(finding.by_id(given.deployment, run_id), as_json=given.json)


def watched(given: Settings, found: finding.Found) -> int:
    """Show a run until it ends, and tell what it came to."""
    _show(given, Watcher(given.deployment, found))
    return outcomes.tell(finding.by_id(given.deployment, found.run_id), as_json=given.json)


def _show(given: Settings, watcher: Watcher) -> None:
    """Show a run until it ends. Who interrupts this is told that the run goes on."""
    try:
        showing.watch(watcher, as_json=given.json)
    except KeyboardInterrupt:
        again = asking.typed(["watch", watcher.found.run_id], given.asked)
        raise Failure(f"\nNo longer watched. The run goes on; to watch it again:\n  {again}", INTERRUPTED) from None


@click.command(
    "dry-run",
    epilog="""\b
pageturner dry-run buckets
pageturner dry-run s3 list_objects_v2 --parameters '{"Bucket": "my-bucket"}'
""",
)
@_words
@_parameters
@_set
@common
@pass_settings
def dry_run(given: Settings, crawl: tuple[str, ...], parameters: str | None, settings: tuple[str, ...]) -> int:
    """Say what a run would do, need and cost. Nothing is written."""
    asked = {**asking.asked_for(crawl, parameters, settings), "dry_run": True}
    execution = executions.ended(given.deployment, executions.begin(given.deployment, asked))
    if execution.refusal is not None:
        raise execution.refusal
    if execution.status != "SUCCEEDED":
        raise Failure(f"The dry run has failed: {execution.error}: {execution.said}", WRONG)
    if given.json:
        screen.document(execution.output)
    else:
        _report(execution.output)
    return COMPLETE


def _report(report: Mapping[str, Any]) -> None:
    estimate = report["estimate"]
    screen.field("plan", str(report["message"]).partition(": ")[2])
    for line in estimate["arithmetic"]:
        screen.field("", str(line), "dim")
    for number, line in enumerate(estimate["cost_arithmetic"]):
        screen.field("" if number else "cost", str(line))
    paging = report["paging"]
    screen.field("pages", ", ".join(f"{name}: {_shown(value)}" for name, value in paging.items()))
    screen.field("needs", ", ".join(report["iam"]["actions"]))
    for denied in report["iam"]["denied"]:
        screen.field("denied", str(denied), "red")
    for probe in report["probes"]:
        if "error" in probe:
            screen.field("warning", f"{probe['target_id']}: {probe['error']}", "yellow")
    for instead in report["instead"]:
        screen.field("instead", str(instead))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else as_json(value)
