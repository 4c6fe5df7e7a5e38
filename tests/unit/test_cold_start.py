"""What a cold start of FetchPage pays for: every module that it loads besides the standard library's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAMBDAS = Path(__file__).parents[2] / "lambdas"
LISTED = Path(__file__).with_name("cold_start_modules.txt")
# In a fresh interpreter that finds the functions as Lambda does. certifi is not in the asset: botocore takes it where
# it is installed.
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
    assert not more | less, f"loads {sorted(more)} and not {sorted(less)}; if that is meant, edit {LISTED.name}"
