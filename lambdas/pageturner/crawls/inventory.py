"""placeholder until the reviewed one lands"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("account_operations.txt")
OWN: Mapping[tuple[str, str], Mapping[str, Any]] = {}


@cache
def _all() -> tuple[tuple[str, str, bool], ...]:
    out = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        s, *ops = line.split()
        out += [(s, o.lstrip("-"), not o.startswith("-")) for o in ops]
    return tuple(out)


def without_parameters(service: str | None = None) -> tuple[tuple[str, str], ...]:
    return tuple((s, o) for s, o, _ in _all() if service in (None, s))


def inventory() -> tuple[tuple[str, str], ...]:
    return tuple((s, o) for s, o, i in _all() if i)
