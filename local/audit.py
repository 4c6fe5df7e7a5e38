"""Looks for known vulnerabilities of the packages that the project pins: ``python -m local.audit``.

Both audits ask a service. Where it cannot be reached, or does not know the packages, they say that they did not audit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator import PROJECT

# The first is short: if the service does not know it, it is not asked about hundreds.
FILES = (
    "lambdas/publish-requirements.txt",
    "requirements-dev.txt",
    "local/requirements.txt",
    "bench/peers/requirements.txt",
)
_SECONDS = 120


@dataclass(frozen=True)
class Audit:
    """What an audit came to: sentences about vulnerabilities, and why something was not audited, or nothing."""

    found: tuple[str, ...] = ()
    not_audited: str = ""


def of_pip(stdout: str, stderr: str) -> Audit:
    """Read the JSON of pip-audit, which takes a package that its service does not know for one without fault."""
    answer = _answer(stdout)
    if "dependencies" not in answer:
        return Audit(not_audited=_last_line(stderr))
    found = tuple(
        f"{each['name']} {each['version']}: {fault['id']}, {_fixed(fault['fix_versions'])}"
        for each in answer["dependencies"]
        for fault in each.get("vulns", ())
    )
    skipped = [each["name"] for each in answer["dependencies"] if "skip_reason" in each]
    return Audit(found, f"the service does not know {_some(skipped)}" if skipped else "")


def of_npm(stdout: str, stderr: str) -> Audit:
    """Read the JSON of `npm audit`."""
    answer = _answer(stdout)
    if "vulnerabilities" not in answer:
        return Audit(not_audited=str(answer.get("message") or _last_line(stderr)))
    faults = answer["vulnerabilities"].values()
    return Audit(tuple(f"{each['name']} {each['range']}: {each['severity']}" for each in faults))


def report(name: str, audit: Audit) -> int:
    """Say what an audit came to. Returns 1 if there are vulnerabilities."""
    for sentence in audit.found:
        print(f"{name}: {sentence}", file=sys.stderr)
    if audit.not_audited:
        print(f"not audited: {name}: {audit.not_audited}")
    elif not audit.found:
        print(f"audited: {name}: no known vulnerabilities")
    return 1 if audit.found else 0


def main() -> int:
    """Audit all. Returns 1 if there are vulnerabilities; 0 also if nothing could be audited, which it says."""
    pip_audit = [str(Path(sys.executable).with_name("pip-audit")), "--require-hashes", "--disable-pip"]
    pip_audit += ["--progress-spinner", "off", "--timeout", "10", "--format", "json", "--requirement"]
    code = 0
    for index, name in enumerate(FILES):
        audit = of_pip(*_run([*pip_audit, name]))
        code |= report(name, audit)
        if audit.not_audited and index == 0:
            print(f"not audited: {', '.join(FILES[1:])}: for the same reason")
            break
    return code | report("package-lock.json", of_npm(*_run(["npm", "audit", "--json"])))


def _run(command: list[str]) -> tuple[str, str]:
    try:
        ran = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"no answer in {_SECONDS} seconds"
    return ran.stdout, ran.stderr


def _answer(stdout: str) -> dict[str, Any]:
    try:
        answer = json.loads(stdout)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _fixed(versions: list[str]) -> str:
    return f"fixed in {', '.join(versions)}" if versions else "not fixed yet"


def _last_line(text: str) -> str:
    return next(reversed(text.strip().splitlines()), "the audit said nothing")


def _some(names: list[str], most: int = 3) -> str:
    first, rest = names[:most], names[most:]
    return ", ".join(first) + (f", and {len(rest)} more" if rest else "")


if __name__ == "__main__":
    sys.exit(main())
