"""The modules that a cold start of FetchPage loads, apart from the standard library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAMBDAS = Path(__file__).parents[2] / "lambdas"
LISTED = Path(__file__).with_name("cold_start_modules.txt")
# Runs in a fresh interpreter that finds the functions as Lambda does. It ignores certifi, which botocore uses if it is
# installed: the asset does not contain it.
LOAD = f"""
import sys
before = set(sys.modules)
sys.path.insert(0, {str(LAMBDAS)!r})
import fetch_page
for name in sorted(set(sys.modules) - before):
    if name.partition(".")[0] not in {{*sys.stdlib_module_names, "__mp_main__", "certifi"}}:
        print(name)
"""


def test_a_new_import_is_a_decision() -> None:
    loaded = subprocess.run([sys.executable, "-I", "-c", LOAD], check=True, stdout=subprocess.PIPE, text=True).stdout
    listed = LISTED.read_text(encoding="utf-8")
    more, less = set(loaded.split()) - set(listed.split()), set(listed.split()) - set(loaded.split())
    assert not more | less, f"also loads {sorted(more)}, not {sorted(less)}; if intended, edit {LISTED.name}"
