"""Runs MiniStack, an AWS emulator, on a free port of 127.0.0.1, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import psutil
from botocore.config import Config

from local.command import kill_group

PROJECT = Path(__file__).parent.parent
MINISTACK_PYTHON = PROJECT / ".venv-ministack" / "bin" / "python"
REGION = "us-east-1"
ACCOUNT = "000000000000"
_START = PROJECT / "local" / "start_ministack.py"
_READY_SECONDS = 60
# It waits for its threads, of which some wait for minutes; and all that it would keep is in our folder.
_STOP_SECONDS = 2
# A botocore setting that is read neither from the configuration file nor from the environment.
_NOTHING = (None, None, None, None)
# Reads the model of a service once, for all clients.
_LOADER = botocore.loaders.create_loader()
# The environment variables that the emulator inherits. Dozens of others configure it (AUTH, SERVICES, USE_SSL,
# PERSIST_STATE ...), and people who use it elsewhere have some of them set.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")
_NOT_THE_USERS_AWS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
# Credentials that the emulator accepts, and its region.
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


class EmulatorError(Exception):
    """The emulator did not start."""


class Emulator:
    """A running MiniStack. Use it as a context manager."""

    def __init__(self, *, wait_scale: float = 1.0, lambda_endpoint_url: str | None = None, auth: bool = False) -> None:
        """`wait_scale` scales the waits of Step Functions; functions call `lambda_endpoint_url`, if it is given.

        With `auth`, permissions are enforced, for all but the account's own credentials, and it speaks TLS, which
        bucket policies demand. docs/emulator.md says what it judges.
        """
        self._wait_scale = wait_scale
        self._lambda_endpoint_url = lambda_endpoint_url
        self._auth = auth
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The URL on which it listens."""
        return f"{'https' if self._auth else 'http'}://127.0.0.1:{self.port}"

    @property
    def _certificate(self) -> Path:
        """The certificate that MiniStack makes for itself, if it speaks TLS."""
        return self._folder / "ministack-tls" / "server.crt"

    def _trust(self) -> dict[str, str]:
        """The environment variables with which boto3 and Node.js trust the certificate."""
        return dict.fromkeys(("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(self._certificate)) if self._auth else {}

    @property
    def pid(self) -> int:
        """Its process id. The functions run in its child processes."""
        if self._process is None:
            raise EmulatorError("MiniStack is not running")
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """An environment in which AWS means the emulator, without the user's own AWS settings."""
        return {**environment_of_emulator(self.url), **self._trust()}

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of the emulator, whatever the environment says."""
        # The user's profile may not even exist.
        session = botocore.session.Session({"profile": _NOTHING, "config_file": (None, None, os.devnull, None)})
        session.register_component("data_loader", _LOADER)
        return boto3.Session(botocore_session=session).client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=options.pop("region_name", REGION),
            aws_access_key_id=options.pop("aws_access_key_id", "test"),
            aws_secret_access_key=options.pop("aws_secret_access_key", "test"),
            verify=str(self._certificate) if self._auth else None,
            config=Config(proxies={}).merge(options.pop("config", None) or Config()),
            **options,
        )

    def kill_functions(self, name: str) -> int:
        """Kill the processes of the function whose name contains `name`. Returns how many there were."""
        killed = 0
        for process in psutil.Process(self.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if name in process.environ().get("AWS_LAMBDA_FUNCTION_NAME", ""):
                    process.kill()
                    killed += 1
        return killed

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
                **{name: os.environ[name] for name in _INHERITED if name in os.environ},
                **_NOT_THE_USERS_AWS,
                **_CREDENTIALS,
                "AWS_ENDPOINT_URL": self._lambda_endpoint_url or self.url,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "TMPDIR": str(self._folder),
                # pip has compiled its packages, and the assets have their bytecode.
                "PYTHONDONTWRITEBYTECODE": "1",
                "PAGETURNER_PYTHON": str(MINISTACK_PYTHON),
                "SFN_WAIT_SCALE": str(self._wait_scale),
                "AUTH": str(self._auth).lower(),
                "USE_SSL": str(self._auth).lower(),
                **self._trust(),
            }
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    [str(MINISTACK_PYTHON), "-P", str(_START)],
                    env=environment,
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # A group of its own: Ctrl-C is for us, and what it starts goes with it.
                    start_new_session=True,
                )
            if self._is_ready(self._process, log):
                return
            text = log.read_text(errors="replace")
            self._kill()
            # MiniStack's message, or the system's, if another process took the port in the meantime.
            if "already in use" not in text:
                raise EmulatorError(f"MiniStack did not start. Its last words:\n{text[-2000:]}")
        raise EmulatorError("MiniStack found no free port on 127.0.0.1")

    def _is_ready(self, process: subprocess.Popen[bytes], log: Path) -> bool:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            # If the port was taken, another emulator would answer, so look for the line in this one's log.
            if f"Running on {self.url}" in log.read_text(errors="replace") and self._is_healthy():
                return True
            time.sleep(0.1)
        return False

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        if self._auth:
            trusting = ssl.create_default_context(cafile=self._certificate)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=2, context=trusting)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _kill(self) -> None:
        """End the process and its whole group, in which the functions run."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            kill_group(process)

    def _stop(self) -> None:
        self._kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment_without_aws() -> dict[str, str]:
    """Return this process's environment without the user's AWS settings."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # An internet proxy cannot reach this machine.
    local = ",".join(filter(None, (os.environ.get("NO_PROXY", os.environ.get("no_proxy")), "127.0.0.1")))
    return {**mine, **_NOT_THE_USERS_AWS, "NO_PROXY": local, "no_proxy": local}


def environment_of_emulator(url: str) -> dict[str, str]:
    """Return an environment in which AWS means the emulator at `url`, without the user's own AWS settings."""
    # The CDK's rules are about AWS; to look at them takes longer than all the rest of a synthesis.
    return {**environment_without_aws(), **_CREDENTIALS, "AWS_ENDPOINT_URL": url, "CDK_VALIDATION": "false"}


def stop_on_signals() -> None:
    """Make SIGTERM and SIGHUP end this process as Ctrl-C does, and ignore further signals during the clean-up."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, stop)
