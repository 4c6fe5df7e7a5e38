"""boto3 clients, made once for each execution environment."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from pageturner.api import LOADER

# One quick second attempt takes the blips inside a call. All longer waiting is the state machines', because a Lambda
# is paid for while it waits.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=25, max_pool_connections=16
)


@cache
def _session() -> boto3.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return boto3.Session(botocore_session=session)


@cache
def client(service: str, region: str | None = None) -> Any:
    """The client of `service` in `region`, or in the function's own region."""
    return _session().client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]
