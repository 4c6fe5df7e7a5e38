"""The items of a run that is not complete do not pass for all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from pageturner.stores.runs_and_locks import RunRecord
from pageturner_cli import finding, manifests
from pageturner_cli.aws_errors import Asked
from pageturner_cli.commands import data
from pageturner_cli.failures import COMPLETE, WRONG, Failure
from pageturner_cli.finding import Found
from pageturner_cli.options import Settings

RUN = "c-20260203T040506Z-1a2b3c4d"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("failed", f"This is not all: of 1,003 targets, 3 are not complete. pageturner why {RUN} says why."),
        ("succeeded", ""),  # the crawl tolerates what is denied
    ],
)
def test_what_is_missing_is_said_behind_the_items(outcome: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"started_at": "2026-02-03T04:05:06Z", "deadline": "2026-02-04T04:05:06Z", "date": "2026-02-03"}
    run = {"run_id": RUN, "expires_at": 1, "execution": "e", "generation": 1, **times}
    summary = {"outcome": outcome, "targets": {"complete": 998, "limited": 2, "denied": 3}}
    unpublished = SimpleNamespace(state=lambda _: SimpleNamespace(current=None))
    deployment: Any = SimpleNamespace(asked=Asked("Pageturner"), stores=SimpleNamespace(publications=unpublished))
    found = Found(deployment, RUN, "c", None, RunRecord(run, {"name": "c"}, "", summary))
    monkeypatch.setattr(finding, "found", lambda *_: found)
    monkeypatch.setattr(manifests, "items_of_run", lambda *_: iter(['{"Name":"one"}']))
    given = Settings()
    given.__dict__["deployment"] = deployment
    ended = CliRunner().invoke(data.items, [RUN], obj=given, standalone_mode=False)
    assert ended.output == '{"Name":"one"}\n'
    if said:
        assert isinstance(ended.exception, Failure)
        assert (ended.exception.code, str(ended.exception)) == (WRONG, said)
    else:
        assert (ended.exception, ended.return_value) == (None, COMPLETE)
