"""Shows pages in a browser without a window, from files, and notes what they ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from local.browser import ARGUMENTS, NEEDED, browser


@dataclass
class Shown:
    """A page that is shown, what it asked for, and what its console says."""

    page: Page
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def is_wider_than_its_window(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@dataclass
class Shower:
    """Shows texts as pages."""

    browser: Browser
    folder: Path
    shown: list[Shown] = field(default_factory=list)

    def __call__(self, text: str, name: str = "report.html", **how: Any) -> Shown:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        page = self.browser.new_page(**how)
        shown = Shown(page)
        page.on("request", lambda request: shown.requests.append(request.url))
        page.on("console", lambda message: shown.said.append(message.text))
        page.on("pageerror", lambda error: shown.said.append(str(error)))
        page.on("dialog", shown.dismiss)
        page.goto(path.as_uri())
        self.shown.append(shown)
        return shown


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = browser()
    assert path is not None, NEEDED
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def show(chromium: Browser, tmp_path: Path) -> Iterator[Shower]:
    """Shows pages. Afterwards, none has asked for anything but itself, or has said anything to its console."""
    shower = Shower(chromium, tmp_path)
    yield shower
    for shown in shower.shown:
        address = shown.requests[0]
        shown.page.close()
        assert shown.requests == [address]
        assert address.startswith("file://")
        assert shown.said == []
