"""Which version of the code this is: the functions, the deployment and the terminal can each be of another one."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_SOURCES = (".json", ".py", ".txt")


@cache
def of_code() -> str:
    """Return a hash of the package's files: equal where the code is."""
    digest = hashlib.sha256()
    for path in sorted(path for path in _PACKAGE.rglob("*") if path.suffix in _SOURCES):
        # A checkout on Windows has other line ends.
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:12]
