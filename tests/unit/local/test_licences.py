"""What ships and what deploys has licences that are allowed."""

from __future__ import annotations

import pytest

from local.licences import ALLOWED, packages, refused


@pytest.mark.parametrize("name", ALLOWED)
def test_licences_are_allowed(name: str) -> None:
    assert len(packages(name)) >= 1
    assert refused(packages(name), ALLOWED[name]) == ""


def test_a_licence_that_is_not_allowed_is_said_with_its_package() -> None:
    said = refused(["six", "docutils"], ALLOWED["requirements.txt"][:1])
    assert "six" in said or "docutils" in said
    assert "not in allow-only" in said
    assert refused(["hypothesis"], ALLOWED["lambdas/requirements.txt"]), "MPL-2.0, which must not ship"
