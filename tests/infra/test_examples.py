"""The examples are right, and match the events that are sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode
from moto.events.models import EventPattern

from pageturner.publish import announcing
from tests.infra.conftest import PROJECT

EXAMPLES = sorted((PROJECT / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_right_template(path: Path) -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--", str(path)]
    linted = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert linted.returncode == 0, linted.stdout


@pytest.fixture
def rule() -> dict[str, Any]:
    template, problems = decode(str(PROJECT / "examples" / "gone_items_to_sns.yaml"))
    assert not problems
    properties: dict[str, Any] = json.loads(json.dumps(template))["Resources"]["Rule"]["Properties"]
    return properties


@pytest.mark.parametrize(
    ("kind", "changed", "is_told"),
    [
        (announcing.ITEMS_CHANGED, {}, True),
        (announcing.ITEMS_CHANGED, {"gone": 0}, False),
        (announcing.ITEMS_CHANGED, {"crawl": "others"}, False),
        (announcing.RUN_FINISHED, {}, False),
    ],
)
def test_people_are_told_of_gone_items_of_their_crawl(
    rule: dict[str, Any], kind: str, changed: dict[str, Any], is_told: bool
) -> None:
    pattern = rule["EventPattern"]
    assert pattern["detail"]["crawl"] == [{"Ref": "Crawl"}]
    pattern["detail"]["crawl"] = ["buckets"]
    event: Any = {
        "source": announcing.SOURCE,
        "detail-type": kind,
        "detail": {"crawl": "buckets", "gone": 2, "gone_keys": ["a", "b"], **changed},
    }
    assert EventPattern.load(json.dumps(pattern)).matches_event(event) == is_told


def test_what_people_are_told_is_json_whatever_the_keys_are(rule: dict[str, Any]) -> None:
    (target,) = rule["Targets"]
    template, paths = target["InputTransformer"]["InputTemplate"], target["InputTransformer"]["InputPathsMap"]
    assert set(re.findall(r"<(\w+)>", template)) == paths.keys()
    # EventBridge escapes nothing that it puts into a string, so only what needs no escape may be in one.
    assert set(re.findall(r"<(\w+)>", "".join(re.findall(r'"[^"]*"', template)))) == {"gone", "crawl"}
    json.loads(re.sub(r"<\w+>", "0", template))
