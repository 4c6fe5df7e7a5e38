"""Shows how far a run is: on a terminal in place, in a log with a line now and then, for programs as JSON lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from pageturner.finish.in_words import named
from pageturner.messages import count_of
from pageturner_cli import screen
from pageturner_cli.text import Column, clean, one_line, shortened, table, took
from pageturner_cli.watching import Progress, TargetProgress, Watcher

# As local/progress.py: in a log, a new line now and then says that it is not stuck.
_LOOK_SECONDS, _LOG_SECONDS = 1.0, 10.0
# A listing that goes on by itself for hours needs no second look each second.
_LATER_LOOK_SECONDS, _LATER = 3.0, 600.0
# The lines around the targets.
_LINES = 5
_FEWEST_LINES = 3
_PHASES = {
    "planning": "finding its targets",
    "listing": "",
    "finishing": "all targets have ended; comes to its verdict",
    "publishing": "listed; publishes",
    "continues": "continues in another execution",
    "ended": "",
}


def detail(progress: Progress) -> str:
    """How far a run is, on a line."""
    at_least = "at least " if progress.is_bounded and progress.pages else ""
    parts = [f"{at_least}{count_of(progress.pages, 'page')}", count_of(progress.items, "item")]
    if progress.phase in ("planning", "ended") and not progress.pages:
        parts = []
    if progress.rate is not None and progress.phase == "listing":
        parts.append(f"{progress.rate:,.1f} pages/s")
    if progress.targets > 1:
        parts.append(f"{progress.done:,} of {progress.targets:,} targets")
    if progress.failed:
        parts.append(f"{progress.failed:,} not complete")
    if progress.throttles:
        parts.append(f"throttled {count_of(progress.throttles, 'time')}")
    if progress.seconds_left is not None:
        parts.append(f"about {took(progress.seconds_left)} left")
    if said := _PHASES[progress.phase]:
        parts.append(said)
    return " · ".join(parts)


def bound(progress: Progress) -> str:
    """What the counts are not of; empty if they are of all targets."""
    if not progress.is_bounded or not progress.watched:
        return ""
    if progress.watched < progress.targets:
        return f"Only the first {progress.watched:,} of {progress.targets:,} targets are watched, to read little."
    return f"Read so far: {progress.read:,} of {progress.targets:,} targets, some with each look."


def as_document(progress: Progress) -> dict[str, Any]:
    """How far a run is, for programs."""
    names = ("run_id", "crawl", "phase", "targets", "watched", "read", "done", "failed", "pages", "items", "throttles")
    found: dict[str, Any] = {name: getattr(progress, name) for name in names}
    for name in ("rate", "seconds_left", "seconds"):
        value = getattr(progress, name)
        found[name] = None if value is None else round(value, 3)
    return found


def watch(watcher: Watcher, *, as_json: bool = False) -> Progress:
    """Show a run until it has ended, and return how far it came then."""
    if as_json:
        return _in_json(watcher)
    if screen.console().is_terminal:
        return _in_place(watcher)
    return _in_a_log(watcher)


def _in_json(watcher: Watcher) -> Progress:
    while True:
        progress = watcher.look()
        if progress.phase == "ended":
            return progress
        screen.document(as_document(progress))
        _sleep(progress)


def _in_a_log(watcher: Watcher) -> Progress:
    said_at, phase = 0.0, ""
    while True:
        progress = watcher.look()
        is_due = time.monotonic() - said_at >= _LOG_SECONDS or progress.phase != phase
        if is_due and (said := detail(progress)):
            print(f"{'✓' if progress.phase == 'ended' else '…'} {took(progress.seconds):>8}  {said}")
            sys.stdout.flush()
            said_at, phase = time.monotonic(), progress.phase
        if progress.phase == "ended":
            return progress
        _sleep(progress)


def _in_place(watcher: Watcher) -> Progress:
    console = screen.console()
    # What the terminal is as wide and high as now, and not at the beginning.
    with Live(console=console, auto_refresh=False, transient=False, vertical_overflow="crop") as live:
        while True:
            progress = watcher.look()
            live.update(Group(*_lines(progress, console.width, console.height)), refresh=True)
            if progress.phase == "ended":
                return progress
            _sleep(progress)


def _lines(progress: Progress, width: int, height: int) -> list[Text]:
    head = Text(shortened(f"{progress.run_id}  {took(progress.seconds)}", width - 1), style="bold")
    lines = [head, *(Text(line) for line in _filled(detail(progress), width - 1))]
    if said := bound(progress):
        lines += [Text(line, style="dim") for line in _filled(said, width - 1)]
    if progress.targets > 1 and progress.phase != "ended":
        room = max(height - len(lines) - _LINES, _FEWEST_LINES)
        lines += _of_targets(list(worst_first(progress, room)), width - 1)
    for line in lines:
        line.no_wrap = True
    return lines


def _of_targets(targets: list[TargetProgress], width: int) -> list[Text]:
    columns = [
        Column("target"),
        Column("pages", right=True, whole=True),
        Column("items", right=True, spare=True),
        Column("", spare=True),
    ]
    found = [
        (
            named({**each.target.as_dict(), **_operation(each)}),
            f"{each.pages:,}",
            f"{each.items:,}",
            each.error or (f"throttled {each.throttles:,}" if each.throttles else "ended" if each.is_ended else ""),
        )
        for each in targets
    ]
    styles = ["dim", *("red" if each.error else "" for each in targets)]
    return [Text(line, style=style) for line, style in zip(table(columns, found, width), styles, strict=True)]


def worst_first(progress: Progress, most: int) -> Iterable[TargetProgress]:
    """The targets for which there is room: those that have ended well only if all are there."""
    shown = [each for each in progress.of_targets if each.error or not each.is_ended]
    return (shown or list(progress.of_targets))[:most]


def _operation(each: TargetProgress) -> Mapping[str, str]:
    return {"operation": each.target.operation, "service": each.target.service} if each.target.operation else {}


def _filled(text: str, width: int) -> list[str]:
    """A line of parts, broken between them where it is too long."""
    lines = [""]
    for part in clean(one_line(text)).split(" · "):
        if lines[-1] and len(lines[-1]) + 3 + len(part) > width:
            lines.append(part)
        else:
            lines[-1] = f"{lines[-1]} · {part}" if lines[-1] else part
    return [shortened(line, width) for line in lines]


def _sleep(progress: Progress) -> None:
    time.sleep(_LOOK_SECONDS if progress.seconds < _LATER else _LATER_LOOK_SECONDS)


def pause() -> None:
    """Wait until the next look."""
    time.sleep(_LOOK_SECONDS)
