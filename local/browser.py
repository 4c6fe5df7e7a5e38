"""Finds Chromium or Chrome, which the tests of reports and `make pictures` show pages in.

``python -m local.browser`` installs Debian's Chromium if there is none and it may.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ON_MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NEEDED = (
    "The tests of reports need Chromium or Chrome, and there is none: install Debian's or Ubuntu's package chromium "
    "(apt-get install chromium), or Google Chrome"
)
# It is a browser for pages from this machine: it asks nobody for anything.
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-dev-shm-usage"),
)


def browser() -> str | None:
    """Return the path of a browser, or None."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return found or next((path for path in _ON_MACOS if Path(path).exists()), None)


def may_install() -> bool:
    """Whether this is a Debian on which packages can be installed."""
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def main() -> int:
    """Install Chromium if there is no browser. Returns the exit code."""
    if browser() is not None:
        return 0
    if may_install():
        install = "apt-get update; apt-get install --yes --no-install-recommends chromium fonts-dejavu-core"
        step = [sys.executable, "-m", "local.step", "Installing Chromium", "sh", "-c", install]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        if (code := subprocess.run(step, check=False, env=environment).returncode) or browser() is not None:
            return code
    print(NEEDED, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
