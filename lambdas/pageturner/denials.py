"""What the message of a service says of a denial.

IAM User Guide, "Troubleshoot access denied error messages": "User: … is not authorized to perform: <action> on
resource: <resource> because no <policy type> allows the <action> action", or "… with an explicit deny in a <policy
type>". Some services say less, and some nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACTION = re.compile(
    r"not authorized to perform: (?P<action>[a-z0-9-]+:[A-Za-z0-9]+)"
    r"(?: on resource: \\?\"?(?P<resource>arn:[^\s\"\\]*[^\s\"\\.,;]|\*))?"
)
_TYPES = (
    *("identity-based policy", "resource-based policy", "permissions boundary", "service control policy"),
    *("resource control policy", "session policy", "VPC endpoint policy"),
)
_POLICY = re.compile(f"(?:with an explicit deny in an?|because no) (?P<type>{'|'.join(_TYPES)})", re.IGNORECASE)
_EXPLICIT = "explicit deny"


@dataclass(frozen=True)
class Denial:
    """The `action` that is denied, on which `resource`, and by which `policy`: each is "" if that is not said."""

    action: str
    resource: str
    policy: str
    is_explicit: bool

    @property
    def by(self) -> str:
        """What denies it, in words, or ""."""
        if self.is_explicit:
            return f"an explicit deny in {_a(self.policy or 'policy')}"
        return f"no {self.policy} allows it" if self.policy else ""


def denial_in(message: str) -> Denial:
    """Return what a service's message says of a denial."""
    found, policy = _ACTION.search(message), _POLICY.search(message)
    kind = next((each for each in _TYPES if policy and each.lower() == policy["type"].lower()), "")
    action, resource = (found["action"], found["resource"] or "") if found else ("", "")
    return Denial(action, resource, kind, _EXPLICIT in message)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
