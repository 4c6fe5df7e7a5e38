"""Today's role of the Crawl machine lets executions of earlier definitions do what these do.

They keep the role, the ARN of which a deployment does not change, but its policies are today's.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest

from tests.formats.corpus import Recording, recordings
from tests.formats.deployment import resources
from tests.infra.test_resources import actions_of, statements

VERSIONS = recordings()
# Actions that are not named like the call.
ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction", "sfn:StartSyncExecution": "states:StartSyncExecution"}
NAMED_BY = ("FunctionName", "StateMachineArn", "Bucket", "TableName")


def needed(state: Any) -> Iterator[tuple[str, str]]:
    """Yield what the tasks of a definition call: the action, and the logical id of the resource, if they name it."""
    for inner in state.values() if isinstance(state, dict) else state if isinstance(state, list) else ():
        yield from needed(inner)
    if not isinstance(state, dict) or not isinstance(resource := state.get("Resource"), str):
        return
    if not resource.startswith("arn:"):
        yield "lambda:InvokeFunction", resource
        return
    service, call = resource.partition(":::")[2].removeprefix("aws-sdk:").split(":")
    action = f"{service}:{call[0].upper()}{call[1:].partition('.')[0]}"
    parameters = state["Parameters"]
    yield ACTIONS.get(action, action), next((parameters[name] for name in NAMED_BY if name in parameters), "")


@cache
def allowed() -> list[tuple[str, str]]:
    """What the role may do: patterns of actions, and resources."""
    found = statements(resources(), "CrawlStateMachineRole")
    return [(action, str(each["Resource"])) for each in found for action in actions_of(each)]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_earlier_definitions_do_is_allowed(version: str) -> None:
    asked = set(needed(Recording.read(VERSIONS[version]).crawl))
    assert {"lambda:InvokeFunction", "states:StartSyncExecution", "s3:PutObject"} <= {action for action, _ in asked}
    denied = [
        (action, resource)
        for action, resource in sorted(asked)
        if not any(fnmatchcase(action, pattern) and resource in on for pattern, on in allowed())
    ]
    assert not denied
