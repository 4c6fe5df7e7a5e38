"""Checks the licences of packages: ``python -m local.licences``.

pip-licenses reads them of what is installed, which tests/unit/test_requirements.py holds to be what the files say.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from local.emulator import PROJECT

# With these, whoever ships a package owes a notice only, which each asset has in the packages' own files.
_PERMISSIVE = (
    *("Apache Software License", "Apache-2.0", "Apache-2.0 OR BSD-2-Clause"),
    *("BSD License", "BSD-2-Clause", "BSD-3-Clause"),
    *("MIT", "MIT License", "MIT No Attribution License (MIT-0)", "PSF-2.0"),
)
# Its terms are those of its own files: it is used as it is, and shipped with nothing.
_MOZILLA = "Mozilla Public License 2.0 (MPL 2.0)"
ALLOWED = {
    "lambdas/requirements.txt": _PERMISSIVE,
    "lambdas/publish-requirements.txt": _PERMISSIVE,
    "requirements.txt": (*_PERMISSIVE, _MOZILLA),
}


def packages(name: str) -> list[str]:
    """Return the names of the packages of a compiled requirements file."""
    return re.findall(r"^([\w.-]+)==", (PROJECT / name).read_text(encoding="utf-8"), re.MULTILINE)


def refused(names: list[str], allowed: tuple[str, ...]) -> str:
    """Return what pip-licenses says against packages that are installed here, or nothing."""
    command = [str(Path(sys.executable).with_name("pip-licenses")), "--from=mixed", "--with-system"]
    command += ["--allow-only", ";".join(allowed), "--packages", *names]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    return (ran.stderr or ran.stdout) if ran.returncode else ""


def main() -> int:
    """Check all files. Returns 1 if a licence is not allowed."""
    code = 0
    for name, allowed in ALLOWED.items():
        if said := refused(packages(name), allowed):
            print(f"{name}: {said.strip()}\nAllowed: {', '.join(allowed)}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
