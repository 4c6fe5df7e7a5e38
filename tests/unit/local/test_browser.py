"""Which browser shows the pages, and what is said if there is none."""

from __future__ import annotations

import shutil
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from local import browser


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The commands that there are, and where."""
    found: dict[str, str] = {}
    monkeypatch.setattr(shutil, "which", found.get)
    monkeypatch.setattr(browser, "_ON_MACOS", ())
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return found


def test_chromium_comes_before_chrome(paths: dict[str, str]) -> None:
    assert browser.browser() is None
    paths |= {"google-chrome": "/opt/chrome"}
    assert browser.browser() == "/opt/chrome"
    paths |= {"chromium": "/usr/bin/chromium"}
    assert browser.browser() == "/usr/bin/chromium"


def test_it_is_installed_where_that_is_possible(paths: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Any] = []

    def run(command: Any, **_: Any) -> Any:
        commands.append(command)
        paths["chromium"] = "/usr/bin/chromium"
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    paths["apt-get"] = "/usr/bin/apt-get"
    assert browser.main() == 0
    assert "apt-get install --yes --no-install-recommends chromium" in commands[0][-1]
    assert browser.main() == 0
    assert len(commands) == 1


@pytest.mark.parametrize(("apt", "user"), [("", 0), ("/usr/bin/apt-get", 1000)])
def test_otherwise_the_package_is_named(
    paths: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], apt: str, user: int
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    if apt:
        paths["apt-get"] = apt
    assert browser.main() == 1
    assert "install Debian's or Ubuntu's package chromium (apt-get install chromium)" in capsys.readouterr().err
