"""Every package that is installed has a version and hashes, and follows from what an ``.in`` asks for."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

PROJECT = Path(__file__).parents[2]
FOLDERS = (".", "bench/peers", "lambdas", "local")
FILES = [
    path.relative_to(PROJECT) for folder in FOLDERS for path in sorted(PROJECT.glob(f"{folder}/*requirements*.in"))
]
# Whose packages are those of the virtual environment in which tests run.
HERE = [path for path in FILES if path.parts[0] not in ("bench", "local")]
# What one installs on top of the other, or beside it, has the same versions.
TOGETHER = ["requirements-dev", "requirements", "lambdas/requirements", "lambdas/publish-requirements"]


class Pin(NamedTuple):
    requirement: Requirement
    hashes: list[str]

    @property
    def name(self) -> NormalizedName:
        return canonicalize_name(self.requirement.name)

    @property
    def applies(self) -> bool:
        return self.requirement.marker is None or self.requirement.marker.evaluate()


def pins(name: str | Path) -> list[Pin]:
    """What a ``.txt`` has: one line is a package, with all its hashes."""
    text = (PROJECT / name).with_suffix(".txt").read_text(encoding="utf-8")
    lines = re.sub(r"\s*#.*", "", text).replace("\\\n", " ").splitlines()
    split = [line.split("--hash=") for line in lines if line.strip()]
    return [Pin(Requirement(first), [each.strip() for each in hashes]) for first, *hashes in split]


def asked(path: Path) -> Iterator[Requirement]:
    """What an ``.in`` and those that it includes ask for."""
    for line in (PROJECT / path).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from asked(path.parent / line.removeprefix("-r "))
        elif line and not line.startswith(("#", "-c ")):
            yield Requirement(line)


def needs(package: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for line in package.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {*extras, ""}):
            yield needed


def all_needed(wanted: list[Requirement]) -> dict[NormalizedName, list[Requirement]]:
    """What is needed, with what that needs, as the packages that are installed here say."""
    found: dict[NormalizedName, list[Requirement]] = {}
    asked_for = [*wanted]
    done = set()
    while asked_for:
        one = asked_for.pop()
        name = canonicalize_name(one.name)
        found.setdefault(name, []).append(one)
        if (key := (name, frozenset(one.extras))) not in done:
            done.add(key)
            asked_for.extend(needs(distribution(one.name), one.extras))
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_package_has_a_version_and_hashes(path: Path) -> None:
    assert pins(path)
    for pin in pins(path):
        assert re.fullmatch(r"==[^*,]+", str(pin.requirement.specifier)), pin.name
        assert pin.hashes, pin.name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in pin.hashes), pin.name


@pytest.mark.parametrize("path", FILES, ids=str)
def test_what_an_in_asks_for_has_its_version_there_too(path: Path) -> None:
    versions = {pin.name: pin.requirement.specifier for pin in pins(path)}
    for one in asked(path):
        assert versions[canonicalize_name(one.name)] == one.specifier, f"{one.name}: make requirements"


@pytest.mark.parametrize("path", HERE, ids=str)
def test_a_txt_has_what_its_in_needs_and_no_more(path: Path) -> None:
    needed = all_needed(list(asked(path)))
    here = {pin.name: pin.requirement for pin in pins(path) if pin.applies}
    assert set(here) == set(needed), "make requirements"
    for name, requirement in here.items():
        (version,) = (each.version for each in requirement.specifier)
        assert all(one.specifier.contains(version, prereleases=True) for one in needed[name]), "make requirements"


def test_files_that_are_installed_together_have_the_same_versions() -> None:
    versions: dict[NormalizedName, set[str]] = {}
    for pin in (pin for name in TOGETHER for pin in pins(name) if pin.applies):
        versions.setdefault(pin.name, set()).add(str(pin.requirement.specifier))
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_emulators_duckdb_is_that_of_the_functions() -> None:
    (duckdb,) = pins("lambdas/publish-requirements")
    assert duckdb in pins("local/requirements")


def test_the_terminal_finds_its_packages_and_what_installs_it() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    assert {canonicalize_name(each) for each in needed} <= {pin.name for pin in pins("requirements")}


def test_pip_installs_nothing_without_its_hash_or_from_source() -> None:
    """But the terminal, which is here, with the packages that are."""
    texts = [(PROJECT / name).read_text(encoding="utf-8") for name in ("Makefile", "infra/packages.py")]
    texts.append((PROJECT / "bench" / "peers" / "deployment.py").read_text(encoding="utf-8"))
    for text in texts:
        for line in re.findall(r"^.*(?:-m pip|\"pip\",|\$\(INSTALL\)).*(?:\n.*command \+=.*)*", text, re.MULTILINE):
            flags = line.replace('", "', " ").replace('"', "")
            local = "--no-deps --no-build-isolation --editable ." in flags
            assert local or "$(INSTALL)" in flags or "--require-hashes --only-binary :all:" in flags, line


def test_the_document_lists_what_ships_and_no_more() -> None:
    text = (PROJECT / "docs" / "security.md").read_text(encoding="utf-8")
    table = text.partition("## What each asset ships")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([\w.-]+)` \| [\d.]+ MB \| .+ \|$", table, re.MULTILINE)
    shipped = [pin.name for name in ("lambdas/requirements", "lambdas/publish-requirements") for pin in pins(name)]
    assert listed == shipped
