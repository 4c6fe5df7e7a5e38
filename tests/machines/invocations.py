"""Invocations of the real handlers, each in a thread, of which one runs at a time: they take turns at every request.

A thread that waits for its turn holds nothing. An invocation whose next request comes before everything else that will
happen goes on without a switch, which is what makes thousands of schedules possible.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar


class Killed(BaseException):
    """The function's process was killed."""


class Worker(threading.Thread):
    """A thread that runs one job after another, whenever it is its turn."""

    _idle: ClassVar[list[Worker]] = []

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._turn, self._back = threading.Lock(), threading.Lock()
        self._turn.acquire()
        self._back.acquire()
        self._job: Callable[[], None] | None = None
        self.start()

    @classmethod
    def begin(cls, job: Callable[[], None]) -> Worker:
        """Return a worker that will run `job` from its first turn on."""
        worker = cls._idle.pop() if cls._idle else cls()
        worker._job = job
        return worker

    def take_turn(self) -> None:
        """Let the worker go on, until it passes its turn or its job is done."""
        self._turn.release()
        self._back.acquire()

    def pass_turn(self) -> None:
        """Called by the job: wait for the next turn."""
        self._back.release()
        self._turn.acquire()

    def run(self) -> None:
        while True:
            self._turn.acquire()
            assert self._job is not None
            self._job()
            self._job = None
            self._idle.append(self)
            self._back.release()
