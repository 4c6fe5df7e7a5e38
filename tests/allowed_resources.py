"""Which resources a statement that allows one call names, in an account and a region of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pageturner.crawls.iam_resources import merged_statement
from pageturner.crawls.resources import Resource, resources_of

_VALUES = {"Partition": "aws", "Region": "eu-west-1", "Account": "111122223333"}


def allowed_resources(service: str, operation: str, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ARNs in eu-west-1 and account 111122223333, or ``*``."""
    found = resources_of(service, operation, parameters) or {Resource("*", "*")}
    return merged_statement(["a:B"], found, _VALUES, most_resources=1_000).resources
