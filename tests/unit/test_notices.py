"""What people are told without having asked: text that SNS takes, and that says what to type."""

from __future__ import annotations

from typing import Any

import pytest

from pageturner import clients, notices
from tests.fake_glue import FakeSns

SUMMARY: dict[str, Any] = {
    "crawl": "objects",
    "run_id": "objects-20260101T000000Z-12345678",
    "message": "1 of 2 targets not complete (1 complete, 1 denied). …",
    "manifest": "s3://bucket/runs/objects-20260101T000000Z-12345678/manifest.json",
    "links": {"report": "https://report", "index": "https://index", "execution": "https://execution"},
}


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> FakeSns:
    fake = FakeSns()
    monkeypatch.setattr(clients, "client", lambda _: fake)
    monkeypatch.setenv("NOTICES_TOPIC", "topic")
    return fake


def test_a_run_that_is_not_complete_is_told_with_its_links_and_what_to_type(sns: FakeSns) -> None:
    notices.send(notices.of_run(SUMMARY))
    assert sns.sent == [
        {
            "topic": "topic",
            "kind": "not complete",
            "subject": "Pageturner: objects is not complete",
            "message": """\
1 of 2 targets not complete (1 complete, 1 denied). …

run:       objects-20260101T000000Z-12345678
report:    https://report
all runs:  https://index
execution: https://execution
manifest:  s3://bucket/runs/objects-20260101T000000Z-12345678/manifest.json

Type next: pageturner why objects-20260101T000000Z-12345678
""",
        }
    ]


def test_the_summary_of_an_earlier_version_has_fewer_links(sns: FakeSns) -> None:
    summary = {name: value for name, value in SUMMARY.items() if name != "links"}
    notices.send(notices.of_run({**summary, "links": {"execution": "https://execution"}}))
    assert "report:" not in sns.sent[0]["message"]


@pytest.mark.parametrize("crawl", ["ü\n" * 200, "x" * 300, "\x1b[31m", "objects"])
def test_sns_takes_every_subject(sns: FakeSns, crawl: str) -> None:
    notices.send(notices.of_run({**SUMMARY, "crawl": crawl}))
    assert sns.sent[0]["subject"].startswith("Pageturner: ")


def test_sns_takes_every_message(sns: FakeSns) -> None:
    notices.send(notices.of_run({**SUMMARY, "message": "ü" * 300_000}))
    assert sns.sent[0]["message"].startswith("üüü")
    assert sns.sent[0]["message"].endswith("pageturner why objects-20260101T000000Z-12345678\n")


@pytest.mark.parametrize("letter", ["x", "ü", "\N{GRINNING FACE}"])
def test_sns_takes_a_body_of_any_length(sns: FakeSns, letter: str) -> None:
    notices.send(notices.Notice("overdue", "many", letter * 300_000))
    sent = sns.sent[0]["message"]
    assert 240_000 < len(sent.encode()) < 256 * 1024
    assert set(sent) == {letter}


def test_sns_takes_what_is_no_unicode(sns: FakeSns) -> None:
    """A service can say half of a surrogate pair."""
    notices.send(notices.Notice("overdue", "one", "a\ud800"))
    assert sns.sent[0]["message"] == "a?"


def test_without_a_topic_nobody_is_told(sns: FakeSns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda has new code before it has the new environment, while a deployment is updated."""
    monkeypatch.delenv("NOTICES_TOPIC")
    notices.send(notices.of_run(SUMMARY))
    assert sns.sent == []
