"""What denies a call, as far as the service's message says so.

IAM User Guide, "Troubleshoot access denied error messages": "User: … is not authorized to perform: <action> on
resource: <resource> because no <policy type> allows the <action> action", or "… with an explicit deny in a <policy
type>". Some services say less, and some nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACTION = re.compile(r"not authorized to perform: (?P<action>[a-z0-9-]+:[A-Za-z0-9]+)")
_TYPES = (
    *("identity-based policy", "resource-based policy", "permissions boundary", "service control policy"),
    *("resource control policy", "session policy", "VPC endpoint policy"),
)
_POLICY = re.compile(f"(?:with an explicit deny in an?|because no) (?P<type>{'|'.join(_TYPES)})", re.IGNORECASE)
_EXPLICIT = "explicit deny"


@dataclass(frozen=True)
class Denial:
    """What is denied to an operation whose own action is `own`: the `action`, and, if it is said, by which `policy`."""

    own: str
    action: str
    policy: str
    is_explicit: bool

    @property
    def allow(self) -> str:
        """The action that an identity-based policy is to allow, or "" if that does not help."""
        return "" if self.is_explicit or self.policy not in ("", "identity-based policy") else self.action

    def to_do(self, deploying: str) -> str:
        """What to do, in a sentence; `deploying` allows the operation's own action."""
        if self.is_explicit:
            by = self.policy or "policy"
            article = "An" if by.startswith("identity") else "A"
            return f"{article} {by} denies {self.action}, whatever others allow: change it, or leave out what it denies"
        if not self.allow:
            return f"Let the {self.policy} allow {self.action}"
        if self.action.lower() != self.own.lower():
            return (
                f"Allow {self.action}, which {self.own} needs there: set read_policies to a policy that has it, and "
                f"deploy; in another account, its reader stack; and change the policy of the key or resource, if that "
                f"has to allow it too"
            )
        return f"Allow {self.action}: {deploying}"


def denial_in(cause: str, own: str) -> Denial:
    """Return what denied an operation whose own action is `own`, by the message of its service."""
    action, policy = _ACTION.search(cause), _POLICY.search(cause)
    found = next((each for each in _TYPES if policy and each.lower() == policy["type"].lower()), "")
    return Denial(own, action["action"] if action else own, found, _EXPLICIT in cause)
