"""An audit fails if there are vulnerabilities, and says when it did not look."""

from __future__ import annotations

import json

import pytest

from local.audit import FILES, Audit, of_npm, of_pip, report
from local.emulator import PROJECT


def test_all_requirements_are_audited() -> None:
    # The development's contain all others that are installed with them.
    named = {str(path.relative_to(PROJECT)) for path in (*PROJECT.glob("local/*.txt"), *PROJECT.glob("bench/*/*.txt"))}
    assert named | {"requirements-dev.txt"} <= set(FILES)


def test_vulnerabilities_of_pythons_packages_fail(capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"id": "PYSEC-2026-1", "fix_versions": ["1.2", "2.0"], "aliases": [], "description": "long"}
    other = {"id": "GHSA-1", "fix_versions": []}
    fine = {"name": "six", "version": "1.17.0", "vulns": []}
    answer = {"dependencies": [{"name": "a", "version": "1.0", "vulns": [fault, other]}, fine]}
    audit = of_pip(json.dumps(answer), "Found 2 known vulnerabilities in 1 package")
    assert report("requirements.txt", audit) == 1
    assert capsys.readouterr().err.splitlines() == [
        "requirements.txt: a 1.0: PYSEC-2026-1, fixed in 1.2, 2.0",
        "requirements.txt: a 1.0: GHSA-1, not fixed yet",
    ]


def test_packages_that_the_service_does_not_know_are_not_audited(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [{"name": name, "skip_reason": f"Dependency not found: {name}"} for name in "abcde"]
    audit = of_pip(json.dumps({"dependencies": skipped}), "No known vulnerabilities found")
    assert report("requirements.txt", audit) == 0
    expected = "not audited: requirements.txt: the service does not know a, b, c, and 2 more\n"
    assert capsys.readouterr().out == expected


def test_a_vulnerability_fails_also_if_others_were_not_audited() -> None:
    broken = {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": []}]}
    audit = of_pip(json.dumps({"dependencies": [broken, {"name": "b", "skip_reason": "unknown"}]}), "")
    assert audit.not_audited
    assert report("requirements.txt", audit) == 1


@pytest.mark.parametrize(
    ("stdout", "stderr", "reason"),
    [
        ("", "Traceback\nConnectionError: no route\n", "ConnectionError: no route"),
        ("", "", "the audit said nothing"),
        ('{"message": "405 Method Not Allowed", "statusCode": 405}', "npm error", "405 Method Not Allowed"),
        ("half of an ans", "cut off", "cut off"),
        ("[]", "no document", "no document"),
    ],
)
def test_an_audit_that_cannot_run_says_so_and_does_not_fail(
    stdout: str, stderr: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = of_npm(stdout, stderr)
    assert audit == Audit(not_audited=reason)
    assert report("package-lock.json", audit) == 0
    assert capsys.readouterr().out == f"not audited: package-lock.json: {reason}\n"
    assert of_pip("" if "message" in stdout else stdout, stderr).not_audited


def test_vulnerabilities_of_nodes_packages_fail() -> None:
    fault = {"name": "tar", "severity": "high", "range": "<7", "via": []}
    audit = of_npm(json.dumps({"vulnerabilities": {"tar": fault}, "metadata": {}}), "")
    assert audit.found == ("tar <7: high",)
    assert report("package-lock.json", audit) == 1
    assert of_npm(json.dumps({"vulnerabilities": {}, "metadata": {}}), "") == Audit()
