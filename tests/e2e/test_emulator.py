"""The emulator's process: its clients reach the one that was started, and stopping it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local import emulator
from local.command import kill_group
from local.emulator import ACCOUNT, Emulator


def first(port: int, then: Callable[[], int]) -> Callable[[], int]:
    """Return a replacement for `_free_port` that returns `port`, which is taken, and then what `then` returns."""
    ports = iter([port])
    return lambda: next(ports, None) or then()


def test_on_a_port_that_another_program_took_it_starts_on_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        monkeypatch.setattr(emulator, "_free_port", first(taken, emulator._free_port))
        with Emulator() as started:
            assert started.port != taken
            assert started.client("s3").list_buckets()["Buckets"] == []


def test_it_never_takes_another_emulator_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator() as one:
        one.client("s3").create_bucket(Bucket="of-the-first")
        monkeypatch.setattr(emulator, "_free_port", first(one.port, emulator._free_port))
        with Emulator() as two:
            assert two.port != one.port
            assert two.client("s3").list_buckets()["Buckets"] == []


def test_it_and_its_clients_take_nothing_of_the_users_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = tmp_path / "state"
    user = {"AWS_PROFILE": "not-there", "HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    user |= {"SERVICES": "sqs", "USE_SSL": "1", "PERSIST_STATE": "1", "S3_PERSIST": "1", "STATE_DIR": str(state)}
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    with Emulator() as started:
        started.client("s3").create_bucket(Bucket="a-bucket")
    assert not state.exists()


def test_with_auth_a_role_may_do_what_its_policy_says_over_tls() -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::kept/*"}
    replaces = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::kept/*",
        "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
    }
    with Emulator(auth=True) as started:
        assert started.url.startswith("https://")
        started.client("s3").create_bucket(Bucket="kept")
        started.client("s3").put_bucket_policy(Bucket="kept", Policy=json.dumps({"Statement": [replaces]}))
        iam = started.client("iam")
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps({"Statement": [allowed]}))
        got = started.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="of-a-test")["Credentials"]
        s3 = started.client(
            "s3",
            aws_access_key_id=got["AccessKeyId"],
            aws_secret_access_key=got["SecretAccessKey"],
            aws_session_token=got["SessionToken"],
        )
        s3.put_object(Bucket="kept", Key="new", IfNoneMatch="*")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object(Bucket="kept", Key="new")
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.get_object(Bucket="kept", Key="new")


def test_its_end_leaves_no_file_and_no_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Emulator() as started:
        process = started._process
        assert process is not None
        assert list(tmp_path.iterdir())
    assert process.poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_a_killed_group_is_gone_with_its_children() -> None:
    child = "import time; time.sleep(600)"
    parent = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{parent}\n{child}"], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(pid, 0)
        kill_group(process)
        assert process.returncode == -signal.SIGKILL
        # Killing the child closes its end of the pipe, even if no process has reaped it yet.
        began = time.monotonic()
        assert process.stdout.read() == b""
        assert time.monotonic() - began < 5
