"""Why a run is not complete: each reason once, what to do about it, and the command to type next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pageturner.crawls.crawl import ADHOC_PREFIX, Crawl
from pageturner.errors import CannotPublishError, DeploymentDeniedError
from pageturner.finish.advice import advice
from pageturner.finish.in_words import is_of_a_role
from pageturner.finish.summary import Reason, Tally, changes_to_resume, is_as_wanted
from pageturner_cli import asking, outcomes
from pageturner_cli.aws_errors import Asked
from pageturner_cli.executions import Execution
from pageturner_cli.finding import Found
from pageturner_cli.manifests import manifest_of

# How an execution ended that came to no verdict, and what to do.
_ENDED: Mapping[str, tuple[str, str]] = {
    "ABORTED": ("Its execution was stopped", "Resume the run when it may go on"),
    "TIMED_OUT": ("Its execution has timed out", "Resume the run, which goes on from its checkpoints"),
    "FAILED": ("Its execution has failed", "Mend what the error names, and resume the run"),
}
_REFUSED: Mapping[str, str] = {
    "DeploymentDeniedError": "Deploy the stack again, or change what denies it: the sentence names that",
    "InvalidCrawlError": "Correct the crawl or the input as the sentence says; then start it again",
    "OverlapError": "Wait for the run that goes on",
    "RunStoppedError": "Another execution drives the run now: watch that",
    "RunWouldFailError": "It was a dry run. Put out of the way what it found, and ask again",
}


@dataclass(frozen=True)
class Because:
    """A reason: of how many targets, the names of some, why, what to do, and what a policy must allow."""

    what: str
    why: str
    to_do: str
    targets: int = 0
    names: tuple[str, ...] = ()
    policy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The reason, for programs."""
        policy = json.loads(self.policy) if self.policy else None
        return {
            "what": self.what,
            "why": self.why,
            "do": self.to_do,
            "targets": self.targets,
            "names": list(self.names),
            "statement": policy,
        }


@dataclass(frozen=True)
class Command:
    """What to type next, with the credentials of an account."""

    command: str
    account: str


@dataclass(frozen=True)
class Explanation:
    """What keeps a run from being complete, and what to type next, in order: `first` in other accounts."""

    outcome: str
    reasons: tuple[Because, ...] = ()
    commands: tuple[str, ...] = ()
    first: tuple[Command, ...] = ()

    def to_type(self, own: str) -> list[Command]:
        """All that is to be typed, in order, if the deployment is in the account `own`."""
        return [*self.first, *(Command(typed, own) for typed in self.commands)]


def explained(found: Found) -> Explanation:
    """Explain a run, or an execution that never began one."""
    outcome, execution, of = outcomes.outcome_of(found), found.execution, found.deployment.asked
    if outcome == "running":
        typed = asking.typed(["watch", found.run_id], of)
        return Explanation(outcome, (Because("running", "It has not ended", "Watch it"),), (typed,))
    if found.record is None:
        return _never_begun(found, outcome)
    summary = found.record.summary
    if summary is None:
        said = _ended(execution)
        return Explanation(outcome, (said,), (asking.typed(["resume", found.run_id], of),))
    if summary["outcome"] == "succeeded":
        if outcome != "succeeded":
            return _not_published(found, execution, of)
        return Explanation(outcome)
    return _incomplete(found, outcome)


def _incomplete(found: Found, outcome: str) -> Explanation:
    run, record = found.run, found.record
    assert run is not None and record is not None  # noqa: S101, PT018 - the caller has looked
    crawl, asked, own = Crawl.from_dict(record.crawl), found.deployment.asked, found.deployment.account
    tally = Tally(crawl, found.deployment.region)
    denied: set[str] = set()
    with manifest_of(found.deployment, run) as manifest:
        for entry in manifest.entries():
            tally.add(entry)
            if entry.get("error") == DeploymentDeniedError.__name__:
                denied.add(own)
            elif _is_for_a_deployment(crawl, entry):
                denied.add(entry["account"])
    tally.close()
    reasons = tuple(
        Because(
            verdict,
            reason.why,
            reason.advice.text,
            reason.targets,
            tuple(reason.names),
            json.dumps(allowing) if (allowing := reason.allowing.statement) else "",
        )
        for (verdict, *_), reason in tally.reasons.items()
    )
    if tally.continues:
        return Explanation(outcome, reasons, (asking.typed(["watch", found.run_id], asked),))
    reader = asking.make("reader", asked, own, found.deployment.outputs.get("ExternalId"))
    return Explanation(
        outcome,
        reasons,
        (*([asking.make("deploy", asked)] if own in denied else []), *_again(found, tally.reasons.values())),
        tuple(Command(reader, account) for account in sorted(denied - {own})),
    )


def _is_for_a_deployment(crawl: Crawl, entry: Mapping[str, Any]) -> bool:
    """Whether a target was denied what deploying to its account allows: the catalogue as it is now, or the reader."""
    of = crawl.of(entry.get("service", ""), entry.get("operation", ""))
    if entry["verdict"] != "denied" or is_as_wanted(of, entry):
        return False
    if is_of_a_role(entry.get("cause", "")):
        return True
    return bool(advice(of, entry).allow) and not crawl.name.startswith(ADHOC_PREFIX)


def _again(found: Found, reasons: Iterable[Reason]) -> list[str]:
    """What to type when the reasons are out of the way: to resume the run where that helps, or to start a new one."""
    helped, changes = changes_to_resume(reasons)
    asked = found.deployment.asked
    if helped:
        return [asking.command({"resume": found.run_id, **changes}, asked)]
    return [asking.command(_input(found), asked)]


def _input(found: Found) -> Mapping[str, Any]:
    """The input that begins such a run anew."""
    execution = found.execution
    if execution is not None and isinstance(execution.input, Mapping) and asking.crawl_of(execution.input):
        # What has been triggered once is not triggered again.
        return {key: value for key, value in execution.input.items() if key != "trigger"}
    return asking.asked_by_run(found.record.crawl) if found.record is not None else {"crawl": found.crawl}


def _never_begun(found: Found, outcome: str) -> Explanation:
    """Explain what PlanRun has refused, or what died before a run was planned."""
    execution, asked = found.execution, found.deployment.asked
    again = asking.command(_input(found), asked)
    if execution is None:
        why = (found.row.message if found.row else None) or "Step Functions has forgotten its execution"
        return Explanation(outcome, (Because(outcome, why, "Start it again"),), (again,))
    if (refusal := execution.refusal) is not None:
        to_do = _REFUSED.get(execution.error, _REFUSED["OverlapError"])
        is_overlap = execution.error in ("", "OverlapError")
        command = asking.typed(["watch", found.crawl], asked) if is_overlap else again
        return Explanation("refused", (Because(execution.error or "refused", str(refusal), to_do),), (command,))
    if execution.status == "SUCCEEDED" and isinstance(execution.output, Mapping):
        done = Because(outcome, str(execution.output.get("message", "")), "There is nothing to do: it was done before")
        other = str(execution.output.get("run_id", found.crawl))
        return Explanation(outcome, (done,), (asking.typed(["show", other], asked),))
    said = _ended(execution)
    return Explanation(
        outcome, (Because(said.what, said.why, "Mend what the error names, and start it again"),), (again,)
    )


def _not_published(found: Found, execution: Execution | None, asked: Asked) -> Explanation:
    said = _ended(execution)
    if execution is not None and execution.error == CannotPublishError.__name__:
        again = asking.command(_input(found), asked)
        to_do = "What it listed can no longer be published: start a new run"
        return Explanation("failed", (Because("not published", said.why, to_do),), (again,))
    to_do = "All is listed: resume the run, which only publishes it"
    typed = asking.typed(["resume", found.run_id], asked)
    return Explanation("failed", (Because("not published", said.why, to_do),), (typed,))


def _ended(execution: Execution | None) -> Because:
    """What is known of an execution that came to no verdict."""
    if execution is None:
        return Because("unknown", "Step Functions has forgotten its execution", "Resume the run")
    how, to_do = _ENDED.get(execution.status, (f"Its execution has {execution.status.lower()}", "Resume the run"))
    said = ": ".join(filter(None, (execution.error, _sentence(execution.cause))))
    return Because(execution.status.lower(), f"{how}{f', with {said}' if said else ', and left no reason'}", to_do)


def _sentence(cause: str) -> str:
    """The message of a function's exception, which Lambda reports as JSON with the stack trace; or the cause itself."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause.partition("\n\n{")[0].strip()
