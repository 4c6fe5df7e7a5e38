"""What ends a command early: a sentence for a person, and an exit code for a script."""

from __future__ import annotations

COMPLETE = 0
# The run is not complete, or something is wrong.
WRONG = 1
# The command cannot be understood; click has the same.
USAGE = 2
# Another run of the crawl is going on.
REFUSED = 3
# AWS cannot be reached, or refuses.
UNREACHABLE = 4
INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - not every one is an error of ours
    """Ends a command with `code`. The message says what is wrong, and what to do."""

    def __init__(self, message: str, code: int = WRONG) -> None:
        super().__init__(message)
        self.code = code
