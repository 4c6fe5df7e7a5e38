"""A terminal for a command that draws on one."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence

from local.emulator import PROJECT


def drawn_by(command: Sequence[str], columns: int, environment: Mapping[str, str], code: int = 0) -> str:
    """Return what a command draws on a terminal of this width. It must end with this code."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(command, cwd=PROJECT, stdin=its, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        drawn = b""
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # Linux raises EIO when the other end is closed
                break
            if not chunk:
                break
            drawn += chunk
        assert process.wait() == code
    os.close(ours)
    return drawn.decode()
