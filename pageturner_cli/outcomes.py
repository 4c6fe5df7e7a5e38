"""What a run came to: in lines for a person, as a document for a program, and as an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pageturner.messages import count_of
from pageturner_cli import asking, screen
from pageturner_cli.executions import Execution
from pageturner_cli.failures import COMPLETE, WRONG, Failure
from pageturner_cli.finding import Found
from pageturner_cli.text import bytes_of, took

# How an execution ended, in the words of an outcome.
_OUTCOMES = {"RUNNING": "running", "PENDING_REDRIVE": "running", "ABORTED": "stopped", "TIMED_OUT": "stopped"}


def outcome_of(found: Found) -> str:
    """The outcome of a run in a word: running, succeeded, failed, stopped, refused, or continues."""
    execution = found.execution
    if execution is not None and execution.is_running:
        return "running"
    if found.record is not None and found.record.summary is not None:
        outcome = str(found.record.summary["outcome"])
        # It was listed, and then its execution failed before that was published.
        is_lost = execution is not None and execution.status != "SUCCEEDED" and not found.record.is_published
        return "failed" if outcome == "succeeded" and is_lost else outcome
    if execution is not None and execution.status == "SUCCEEDED":
        said = execution.output.get("outcome") if isinstance(execution.output, Mapping) else None
        return str(said or "succeeded")
    if execution is None:
        return str((found.row.outcome if found.row else None) or "unknown")
    return _OUTCOMES.get(execution.status, "failed")


def summary_of(found: Found) -> dict[str, Any]:
    """The summary of a run with what became of its publication; without one, what is known of its execution."""
    record, execution = found.record, found.execution
    if record is not None and record.summary is not None:
        published = {"published": record.published} if record.is_published else {}
        return {**record.summary, **published}
    about: dict[str, Any] = {"run_id": found.run_id, "crawl": found.crawl, "outcome": outcome_of(found)}
    if execution is not None:
        about |= {"execution": execution.arn, "status": execution.status}
        about |= {"error": execution.error, "message": execution.said or execution.cause} if execution.error else {}
        about.setdefault("message", _without_summary(execution))
    elif found.row is not None and found.row.message:
        about["message"] = found.row.message
    return about


def _without_summary(execution: Execution) -> str:
    said = {
        "ABORTED": "its execution was stopped before it came to a verdict",
        "TIMED_OUT": "its execution has timed out before it came to a verdict",
        "RUNNING": "it is running, and has not come to a verdict",
    }
    return execution.said or said.get(execution.status, f"its execution has {execution.status.lower()}")


def exit_code(found: Found) -> int:
    """0 if the run is complete, as its crawl asks."""
    return COMPLETE if outcome_of(found) == "succeeded" else WRONG


def tell(found: Found, *, as_json: bool) -> int:
    """Print what a run came to, and return the exit code. Raises `Failure` if PlanRun has refused it."""
    if found.record is None and found.execution is not None and (refusal := found.execution.refusal) is not None:
        raise refusal
    summary, outcome = summary_of(found), outcome_of(found)
    if as_json:
        screen.document(summary)
        return exit_code(found)
    screen.say(f"{found.run_id}  {outcome}", screen.style_of(outcome))
    said, of_publication = str(summary.get("message", "")), (summary.get("published") or {}).get("message")
    if outcome == "succeeded" or "targets" not in summary:
        screen.field("verdict", f"{said}; {of_publication}" if of_publication and outcome == "succeeded" else said)
    else:
        screen.field("verdict", said.partition(". ")[0] + ".")
    if "pages" in summary:
        screen.field("took", counts(summary))
    if outcome not in ("succeeded", "running"):
        screen.field("next", asking.typed(["why", found.run_id], found.deployment.asked), "bold")
    return exit_code(found)


def counts(summary: Mapping[str, Any]) -> str:
    """What a run took: time, pages, bytes, trouble, dollars."""
    parts = [took(summary["seconds"]), count_of(summary["pages"], "page"), bytes_of(summary["bytes"])]
    parts += [count_of(summary[f"{noun}s"], noun) for noun in ("throttle", "restart") if summary[f"{noun}s"]]
    if "estimated_cost" in summary:
        published = (summary.get("published") or {}).get("estimated_cost", 0)
        parts.append(f"about ${summary['estimated_cost'] + published:.4f}")
    return ", ".join(parts)


def refuse_unfinished(found: Found) -> None:
    """Raise `Failure` if a run has no manifest yet."""
    if found.record is None or found.record.summary is None:
        raise Failure(
            f"{found.run_id} has not come to a verdict yet ({outcome_of(found)}). "
            f"{asking.typed(['why', found.run_id], found.deployment.asked)} says what is known of it.",
            WRONG,
        )
