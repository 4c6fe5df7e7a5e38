"""A session of the terminal on the emulator, as a page for a picture: what a person types, and what is said."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from local.deployment import Deployment
from local.emulator import PROJECT, Emulator
from local.seed import BUCKET, seed

COLUMNS = 96
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("start", "s3-objects", "--watch"),
    ("start", "s3", "list_objects_v2", "--parameters", f'{{"Bucket": "{BUCKET}-2"}}', "--watch"),
    ("why",),
    ("crawls",),
)
# All frames of what changes in place, but the last one; and the link to a console that the emulator does not have.
_EARLIER_FRAMES = re.compile(r"\x1b\[\?25l.*\x1b\[1A\x1b\[2K", re.DOTALL)
_CURSOR = re.compile(r"\x1b\[\?25[lh]")
_CONSOLE = re.compile(r"^  console .*\n", re.MULTILINE)
_PAGE = """\
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #0c0c0c; color: #d9d9d9 }
pre { margin: 0; padding: 20px 24px; font: 14px/1.45 "DejaVu Sans Mono", monospace; display: inline-block }
</style><pre>%s</pre>"""


def page() -> str:
    """Deploy the demo's stack to an emulator, ask it, and return the page."""
    with Emulator(wait_scale=0.05) as emulator:
        with Deployment(
            emulator, {"catalogue": "local/demo.yaml", "loop_seconds": "1", "adhoc_crawls": "true"}
        ) as deployment:
            for step in (deployment.synth, deployment.bootstrap, deployment.deploy):
                step(print)
        seed(emulator)
        said = "\n".join(_said(emulator, command) for command in COMMANDS)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="standard", force_terminal=True)
    console.print(Text.from_ansi(said))
    return _PAGE % console.export_html(inline_styles=True, code_format="{code}", theme=MONOKAI)


def _said(emulator: Emulator, command: Sequence[str]) -> str:
    """What the terminal says to a command, as it stands when the command has ended."""
    ended = subprocess.run(
        [sys.executable, "-m", "pageturner_cli", *command],
        cwd=PROJECT,
        env={**emulator.environment(), "COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    text = _CURSOR.sub("", _EARLIER_FRAMES.sub("", _CONSOLE.sub("", ended.stdout)))
    return f"\x1b[1;36m$ pageturner {shlex.join(command)}\x1b[0m\n{text}"
