"""Notices: what a person is told without having asked, as text, through SNS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pageturner import clients
from pageturner.messages import shortened
from pageturner.own_resources import as_sink_error

# SNS API Reference, "Publish": a subject is ASCII in one line, and shorter than 100 characters…
_LONGEST_SUBJECT = 99
# … and a message has at most 256 KB, with its attributes; nobody reads so much.
_MOST_BYTES = 250_000
_LONGEST_SENTENCE = 20_000


@dataclass(frozen=True)
class Notice:
    """What is told. `kind` is an attribute of the message, by which a subscription can filter."""

    kind: str
    subject: str
    body: str


def send(notice: Notice) -> None:
    """Send a notice to the topic NOTICES_TOPIC. Whoever repeats this sends it again. Raises `SinkError`.

    While a deployment is updated, a function can have its new code before its new environment.
    """
    if topic := os.environ.get("NOTICES_TOPIC"):
        with as_sink_error("could not send a notice"):
            clients.client("sns").publish(
                TopicArn=topic,
                Subject=_subject(notice.subject),
                Message=_cut(notice.body),
                MessageAttributes={"kind": {"DataType": "String", "StringValue": notice.kind}},
            )


def of_run(summary: Mapping[str, Any]) -> Notice:
    """The notice of a run that is not complete."""
    crawl, run_id = summary["crawl"], summary["run_id"]
    return Notice(
        "not complete", f"Pageturner: {crawl} is not complete", _text(summary["message"], _about(summary), why(run_id))
    )


def of_changes(summary: Mapping[str, Any]) -> Notice:
    """The notice of what a complete run has changed."""
    crawl, published = summary["crawl"], summary["published"]
    counts = ", ".join(f"{published[kind]:,} {kind}" for kind in ("new", "changed", "gone") if published[kind])
    changes = {"changes": published["changes"]} if "changes" in published else {}
    return Notice(
        "changes",
        f"Pageturner: {crawl}: {counts}",
        _text(summary["message"], {**_about(summary), **changes}, f"pageturner changes {summary['run_id']}"),
    )


def of_stopped(crawl: str, run_id: str, said: str, execution: str, link: str) -> Notice:
    """The notice of a run whose execution has ended before it could say what the run came to."""
    about = {"run": run_id, "execution": execution, "console": link}
    return Notice("not complete", f"Pageturner: {crawl} was stopped", _text(said, about, why(run_id)))


def of_no_run(said: str, execution: str, link: str) -> Notice:
    """The notice of an execution that a schedule or another crawl has started, and that has begun no run."""
    about = {"execution": execution, "console": link}
    return Notice("not complete", "Pageturner: a crawl did not start", _text(said, about, "pageturner doctor"))


def of_refusals(crawl: str, times: int, said: str, run_id: str) -> Notice:
    """The notice of a crawl that is refused again and again, because a run of it goes on."""
    first = f"{crawl} was to start {times} times in a row, and did not, because an earlier run goes on."
    next_to_do = f"pageturner watch {run_id}"
    return Notice(
        "refused", f"Pageturner: {crawl} is refused again", _text(f"{first} {said}", {"run": run_id}, next_to_do)
    )


def why(run_id: str) -> str:
    """What to type to hear why a run is not complete."""
    return f"pageturner why {run_id}"


def _about(summary: Mapping[str, Any]) -> dict[str, str]:
    links = summary.get("links", {})
    found = {
        "run": summary["run_id"],
        "report": links.get("report"),
        "all runs": links.get("index"),
        "execution": links.get("execution"),
        "manifest": summary.get("manifest"),
    }
    return {name: value for name, value in found.items() if value}


def _text(said: str, about: Mapping[str, str], command: str) -> str:
    lines = [f"{name + ':':11}{value}" for name, value in about.items()]
    return "\n".join([shortened(said, _LONGEST_SENTENCE), "", *lines, "", f"{'Type next:':11}{command}", ""])


def _cut(text: str) -> str:
    """Cut a text that would be too long as UTF-8, at a character."""
    return text.encode(errors="replace")[:_MOST_BYTES].decode(errors="ignore")


def _subject(text: str) -> str:
    printable = "".join(character if " " <= character <= "~" else "?" for character in text)
    return printable if len(printable) <= _LONGEST_SUBJECT else f"{printable[: _LONGEST_SUBJECT - 3]}..."
