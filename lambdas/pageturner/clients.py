"""boto3 clients, made once for each execution environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from pageturner.paging.api import LOADER

# Makes the client of a service in a region and an account.
Client = Callable[[str, str, str], Any]

# One quick second attempt takes the blips inside a call. All longer waiting is the state machines', because a Lambda
# is paid for while it waits.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=25, max_pool_connections=16
)
# A warm function meets many accounts and regions. A client takes up to 1.4 MB (ec2); the session of an account 0.3 MB,
# and without one there is an AssumeRole before each page.
_MOST_CLIENTS = 64
_MOST_SESSIONS = 256


def client(service: str, region: str | None = None, account: str | None = None) -> Any:
    """The client of `service` in `region` (default: the function's own) of `account`.

    Another account than the function's own is read through the role READER_ROLE_ARN, which has ``{account}`` in it,
    with the external id EXTERNAL_ID. Where that role is not to be had, requests raise a `ClientError` of AssumeRole.
    """
    return _client(service, region, None if account == os.environ.get("ACCOUNT") else account)


@lru_cache(maxsize=_MOST_CLIENTS)
def _client(service: str, region: str | None, account: str | None) -> Any:
    session = _session() if account is None else _reader_session(account)
    return session.client(service, region_name=region, config=_CONFIG)  # type: ignore[call-overload]


@cache
def _session() -> boto3.Session:
    return boto3.Session(botocore_session=_botocore_session())


@lru_cache(maxsize=_MOST_SESSIONS)
def _reader_session(account: str) -> boto3.Session:
    fetcher = AssumeRoleCredentialFetcher(
        _botocore_session().create_client,
        _session().get_credentials(),
        os.environ["READER_ROLE_ARN"].format(account=account),
        extra_args={"ExternalId": os.environ["EXTERNAL_ID"], "RoleSessionName": "Pageturner"},
    )
    session = _botocore_session()
    # botocore has no public way to put credentials that refresh themselves into a session.
    session._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # type: ignore[attr-defined]
    return boto3.Session(botocore_session=session)


def _botocore_session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return session
