"""One line that shows how work is getting on. Standard library only, because the set-up uses it on a bare machine."""

from __future__ import annotations

import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# On a terminal the line changes in place. Elsewhere, in a log, a new line now and then says that it is not stuck.
_TERMINAL_SECONDS, _LOG_SECONDS = 0.5, 10.0
_LOG_WIDTH = 110


@contextmanager
def progress(title: str) -> Iterator[Line]:
    """Show `title`, how long it has taken, and the latest detail, until the block ends. The last detail stays."""
    line = Line(title)
    try:
        yield line
    except BaseException:
        line.end("✗")
        raise
    line.end("✓")


class Line:
    """The line of a `progress` block."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._detail = ""
        self._began = time.monotonic()
        self._in_place = sys.stdout.isatty()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        if self._in_place:
            self._redraw("…", "")
        else:
            print(f"{title} …", flush=True)
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def show(self, detail: str) -> None:
        """Set the detail: what is happening now or, at the end, what came of it."""
        self._detail = " ".join(detail.split())

    def say(self, text: str) -> None:
        """Print a line that stays, above this one."""
        with self._lock:
            print(f"\r\033[K{text}" if self._in_place else text, flush=True)
        if self._in_place:
            self._redraw("…", "")

    def end(self, mark: str) -> None:
        """Draw the line for the last time."""
        self._ended.set()
        self._thread.join()
        self._redraw(mark, "\n")

    def _tick(self) -> None:
        while not self._ended.wait(_TERMINAL_SECONDS if self._in_place else _LOG_SECONDS):
            self._redraw("…", "" if self._in_place else "\n")

    def _redraw(self, mark: str, end: str) -> None:
        took = f"{int(time.monotonic() - self._began)} s"
        with self._lock:
            if self._in_place:
                # A line that is longer than the terminal is wide would wrap, and scroll instead of changing in place.
                text = shortened(f"{mark} {took:>5}  {self._title}  {self._detail}".rstrip())
                print(f"\r\033[K{text}", end=end, flush=True)
            else:
                print(f"{mark} {took:>5}  {self._detail[:_LOG_WIDTH]}".rstrip(), flush=True)


def width() -> int:
    """How many characters fit on a line of the terminal without wrapping."""
    return max(shutil.get_terminal_size().columns - 1, 1)


def shortened(text: str, indent: int = 0) -> str:
    """Text that fits on a line of the terminal behind `indent` other characters."""
    most = max(width() - indent, 1)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def field(label: str, text: str) -> str:
    """A label and its text, which goes on below itself. A word that is too long, such as a URL, stays in one piece."""
    return textwrap.fill(
        text,
        width=width(),
        initial_indent=f"  {label:9}",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )
