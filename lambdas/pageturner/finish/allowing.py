"""What to do about a denied call, and the policy statement that allows it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pageturner.crawls.iam_resources import merged_statement
from pageturner.crawls.resources import UNKNOWN, Resource, resources_of
from pageturner.denials import Denial
from pageturner.paging import api

# People copy the statement from a sentence. More resources than these are shown as all of their kind.
_MOST_RESOURCES = 5
# Where a message has the name of a parameter instead of its value (`messages.without`).
_TAKEN_OUT = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Allow:
    """An action to allow, on which resources: with ``${Account}`` and ``${Region}`` in them, those of the target."""

    action: str
    resources: frozenset[Resource]


def allow_of(
    denial: Denial, service: str, operation: str, own: str, parameters: Mapping[str, Any], hidden: Mapping[str, Any]
) -> Allow | None:
    """Return what an identity-based policy is to allow, or None if that does not help.

    `own` is the operation's own action. The values of `hidden` parameters, which are items', are in no statement.
    """
    if denial.is_explicit or denial.policy not in ("", "identity-based policy"):
        return None
    action = denial.action or own
    if action.lower() == own.lower():
        shown = {name: UNKNOWN if name in hidden else value for name, value in parameters.items()}
        return Allow(own, resources_of(service, operation, shown))
    arn = _TAKEN_OUT.sub("*", denial.resource)
    return Allow(action, frozenset({Resource(arn, arn)} if arn else ()))


def to_do(denial: Denial, own: str, deploying: str) -> str:
    """What to do, in a sentence; `deploying` allows the operation's own action."""
    action = denial.action or own
    if denial.is_explicit:
        by = denial.policy or "policy"
        article = "An" if by.startswith("identity") else "A"
        return f"{article} {by} denies {action}, whatever others allow: change it, or leave out what it denies"
    if denial.policy not in ("", "identity-based policy"):
        return f"Let the {denial.policy} allow {action}"
    if action.lower() != own.lower():
        return (
            f"Allow {action}, which {own} needs there: set read_policies to a policy that has it, and deploy; in "
            f"another account, its reader stack; and change the policy of the key or resource, if that has to allow it "
            f"too"
        )
    return f"Allow {action}: {deploying}"


@dataclass
class Allowing:
    """Adds up what targets need to be allowed."""

    _actions: set[str] = field(default_factory=set)
    _resources: set[Resource] = field(default_factory=set)
    _accounts: set[str] = field(default_factory=set)
    _regions: set[str] = field(default_factory=set)

    def add(self, allow: Allow, target: Mapping[str, Any]) -> None:
        """Add what a target needs."""
        self._actions.add(allow.action)
        self._resources |= allow.resources or {Resource("*", "*")}
        self._accounts.add(target["account"])
        self._regions.add(target["region"])

    @property
    def statement(self) -> dict[str, Any] | None:
        """The statement, for a policy of the role that reads; None if nothing is to be allowed."""
        if not self._actions:
            return None
        values = {"Partition": api.partition_of(min(self._regions))}
        for name, found in (("Account", self._accounts), ("Region", self._regions)):
            values[name] = next(iter(found)) if len(found) == 1 else "*"
        merged = merged_statement(self._actions, self._resources, values, most_resources=_MOST_RESOURCES)
        return {"Effect": "Allow", "Action": list(merged.actions), "Resource": list(merged.resources)}

    @property
    def sentence(self) -> str:
        """The statement in a message, or ""."""
        return f" The policy statement that allows it: {json.dumps(self.statement)}." if self._actions else ""
