"""MiniStack, an AWS emulator, as a process of our own: on 127.0.0.1, on a free port, without a trace at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

PROJECT = Path(__file__).parent.parent
MINISTACK_PYTHON = PROJECT / ".venv-ministack" / "bin" / "python"
REGION = "us-east-1"
ACCOUNT = "000000000000"
_READY_SECONDS = 60
_STOP_SECONDS = 10

# On Linux the kernel ends the emulator when we are killed in a way that lets us clean nothing up.
_START = """
import ctypes, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
from ministack.app import main
sys.argv = ["ministack"]
main()
"""


class EmulatorError(Exception):
    """The emulator did not start."""


class Emulator:
    """A running MiniStack. Use it as a context manager."""

    def __init__(self, *, wait_scale: float = 1.0, lambda_endpoint_url: str | None = None) -> None:
        """`wait_scale` scales the waits of Step Functions; the functions call `lambda_endpoint_url` in its stead."""
        self._wait_scale = wait_scale
        self._lambda_endpoint_url = lambda_endpoint_url
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that it is; what runs functions is below it."""
        if self._process is None:
            raise EmulatorError("MiniStack is not running")
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to take the emulator for AWS, and nothing of the user's own AWS."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **mine,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of the emulator, whatever the environment says."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=options.pop("region_name", REGION),
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the emulator's
            **options,
        )

    def __enter__(self) -> Emulator:
        self._folder = Path(tempfile.mkdtemp(prefix="pageturner-"))
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        for _ in range(5):
            self.port = _free_port()
            log = self._folder / "ministack.log"
            environment = {
                **self.environment(),
                "AWS_ENDPOINT_URL": self._lambda_endpoint_url or self.url,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "TMPDIR": str(self._folder),
                "PYTHONPYCACHEPREFIX": str(self._folder / "pycache"),
                "PAGETURNER_PYTHON": str(MINISTACK_PYTHON),
                "SFN_WAIT_SCALE": str(self._wait_scale),
            }
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    [str(MINISTACK_PYTHON), "-c", _START],
                    env=environment,
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # A group of its own: Ctrl-C is for us, and what it starts goes with it.
                    start_new_session=True,
                )
            if self._is_ready(self._process):
                return
            text = log.read_text(errors="replace")
            self._kill()
            if "address already in use" not in text.lower():
                raise EmulatorError(f"MiniStack did not start. Its last words:\n{text[-2000:]}")
        raise EmulatorError("MiniStack found no free port on 127.0.0.1")

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).close()  # noqa: S310 - our own
                return process.poll() is None
            time.sleep(0.1)
        return False

    def _kill(self) -> None:
        """End the process and all that it has started: the functions run in its group."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _stop(self) -> None:
        self._kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stop_on_signals() -> None:
    """Have SIGTERM and SIGHUP end this process as Ctrl-C does, so that everything is cleaned up."""

    def stop(number: int, _: object) -> None:
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
