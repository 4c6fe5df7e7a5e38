"""PlanRun: validates the input, begins or resumes the run, and writes its targets for the Distributed Map."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pageturner import clients, notices, telemetry
from pageturner.crawls.catalogue import (
    check_input,
    parse_changes,
    parse_dry_run,
    parse_input,
    parse_publish,
    parse_resume,
    parse_trigger,
)
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.only_catalogued import refuse_other_reads
from pageturner.dry_run import DryRun
from pageturner.errors import OverlapError, RunWouldFailError
from pageturner.formats import known
from pageturner.plan import targets
from pageturner.plan.expansion import Expansion
from pageturner.plan.planning import Execution, Planner
from pageturner.plan.publishing import to_compare, to_publish
from pageturner.stores import Stores

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


# What of a plan is in the log: not its crawl, whose parameters and StartingToken are not for everyone.
_LOGGED = ("run", "targets", "batches", "max_concurrency", "for_each_item_of", "window", "publish", "refused")


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Plan the run that `event["input"]` asks for, in the execution `event["execution"]`.

    The execution has an `id`, `started_at`, and `entered_at`, when it entered PlanRun. Returns `run`, `crawl`, the
    location of the `targets`, `max_concurrency`, and for people `paging`; or what PublishRun is to `publish`; or
    `nothing_to_do`, which is the report of a dry run, the summary of a run that has succeeded before, or what the same
    trigger has started before; or what is `refused`, because an earlier run goes on; a machine of an earlier version
    takes that for nothing to do. Raises `InvalidCrawlError`, `RunStoppedError` and `RunWouldFailError`; and
    `OverlapError` if a run that has begun cannot be resumed: the execution of an incomplete run never succeeds.
    """
    plan = _plan(event)
    telemetry.logger.info("run planned", extra={"plan": {name: plan[name] for name in _LOGGED if name in plan}})
    return plan


def _plan(event: Mapping[str, Any]) -> dict[str, Any]:
    execution = Execution(**known(Execution, event["execution"]))
    stores = Stores.of_environment()
    planner = Planner(stores, clients.is_running)
    check_input(event["input"])
    if run_id := parse_publish(event["input"]):
        return {"publish": to_publish(stores, run_id)}
    if runs := parse_changes(event["input"]):
        return {"publish": to_compare(stores, *runs)}
    if resume := parse_resume(event["input"]):
        clients.reads_for(resume.run_id)
        return planner.resume(resume, execution)
    is_dry, asked = parse_dry_run(event["input"])
    trigger, asked = parse_trigger(asked)
    if "ONLY_CATALOGUED" in os.environ:
        refuse_other_reads(asked, _catalogue())
    crawl = parse_input(asked, _catalogue())
    clients.reads_for(targets.plan_run(crawl, execution.id, execution.started_at, execution.entered_at).run_id)
    account, region = os.environ["ACCOUNT"], os.environ["AWS_REGION"]
    expansion = Expansion(clients.client, stores, _catalogue(), account, region)
    if is_dry:
        return {"nothing_to_do": _dry_run(crawl, expansion, execution.entered_at)}
    try:
        return planner.begin(crawl, execution, expansion, trigger)
    except OverlapError as error:
        if stores.executions.run_of(execution.id) is not None:  # it was redriven
            raise
        refused = _refuse(error)
        return {"refused": refused, "nothing_to_do": refused}


def _refuse(error: OverlapError) -> dict[str, Any]:
    """Count that an execution is refused, and tell people if it happens again and again: at the 2nd, 4th, 8th time."""
    times = Stores.of_environment().history.refuse(error.crawl)
    telemetry.logger.warning("refused", extra={"crawl": error.crawl, "times": times, "reason": str(error)})
    if times > 1 and times & (times - 1) == 0:
        notices.send(notices.of_refusals(error.crawl, times, str(error), error.run_id))
    about = {"crawl": error.crawl, "run_id": error.run_id, "execution": error.execution}
    return {"outcome": "refused", "message": str(error), **about}


def _dry_run(crawl: Crawl, expansion: Expansion, now: str) -> dict[str, Any]:
    report = DryRun(expansion, float(os.environ["LOOP_SECONDS"])).of(crawl, now)
    if report["would_fail"]:
        # The error has only the sentence.
        logged = {name: report[name] for name in ("crawl", "probes", "iam", "estimate")}
        telemetry.logger.warning("a run would fail", extra={"report": logged})
        raise RunWouldFailError(report["message"])
    return report


@cache
def _catalogue() -> Mapping[str, Crawl]:
    """Return the catalogue, which was validated when the app was synthesized; inputs are validated again."""
    document = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))
    return {name: Crawl.from_dict({"name": name, **entry}) for name, entry in document["crawls"].items()}
