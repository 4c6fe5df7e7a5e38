"""boto3 clients, created once for each execution environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    Credentials,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
)
from botocore.exceptions import ClientError

from pageturner import errors, own_resources
from pageturner.paging import api
from pageturner.paging.bodies import check_body, check_cbor, check_size
from pageturner.paging.parsers import Parsers

# Creates the client of a service in a region and an account.
Client = Callable[[str, str, str], Any]

# One quick second attempt covers blips inside a call. The state machines do all longer waiting, because a Lambda
# function is billed while it waits.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=5, read_timeout=25, max_pool_connections=16
)
# For a question without which a listing is as complete: one short attempt.
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
# A warm function sees many accounts and regions. A client takes up to 1.4 MB (ec2). The session of an account takes
# 0.3 MB; without its credentials, each page would need an AssumeRole.
_MOST_CLIENTS = 64
_MOST_SESSIONS = 256
# Of an account: several runs can go on, and share the function.
_MOST_RUNS = 8
# STS takes so many characters (API Reference, "AssumeRole"); a run_id ends with its time and what makes it unique.
_LONGEST_SESSION_NAME = 64
_END_OF_RUN_ID = len("-20260203T040506Z-01234567")
_NOT_IN_A_SESSION_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)


def client(service: str, region: str | None = None, account: str | None = None) -> Any:
    """Return the client of `service` in `region` (default: the function's own).

    Without an `account`, its requests are the function's own work. What is crawled in an account is read through a role
    there: OWN_READER_ROLE_ARN in the function's own account, ACCOUNT, and READER_ROLE_ARN in others, which contains
    ``{account}``; with the external id EXTERNAL_ID, in a session that `reads_for` has named. If that role cannot be
    assumed, requests raise the `ClientError` of AssumeRole, and if the own one is denied, `DeploymentDeniedError`.
    Benchmarks and tests have no role of their own account.
    """
    api.make_room(service)
    return _client(service, region, _read_through_a_role(account))


def reads_for(run_id: str) -> None:
    """Name the sessions of the reader roles after this run, from now on: CloudTrail has their name in each event."""
    global _session_name  # an execution environment works for one invocation at a time
    name = _NOT_IN_A_SESSION_NAME.sub("-", run_id)
    beginning = name[: _LONGEST_SESSION_NAME - _END_OF_RUN_ID]
    _session_name = name if len(name) <= _LONGEST_SESSION_NAME else beginning + name[-_END_OF_RUN_ID:]


_session_name = "Pageturner"


def client_that_asks_once(service: str, region: str, account: str) -> Any:
    """Return a client that makes one short attempt at each request."""
    api.make_room(service)
    return _client(service, region, _read_through_a_role(account), once=True)


@lru_cache(maxsize=_MOST_CLIENTS)
def _client(service: str, region: str | None, account: str | None, *, once: bool = False) -> Any:
    session = _session() if account is None else _reader_session(account)
    made = session.client(service, region_name=region, config=_ONCE if once else _CONFIG)  # type: ignore[call-overload]
    made.meta.events.register("before-parse", check_size)
    made.meta.events.register("before-parse", check_cbor)
    made.meta.events.register("after-call", check_body)
    return made


# A client holds the model of its service.
api.FORGETS.append(_client.cache_clear)


@cache
def _session() -> boto3.Session:
    return boto3.Session(botocore_session=_botocore_session())


def _read_through_a_role(account: str | None) -> str | None:
    return None if account == os.environ.get("ACCOUNT") and "OWN_READER_ROLE_ARN" not in os.environ else account


@lru_cache(maxsize=_MOST_SESSIONS)
def _reader_session(account: str) -> boto3.Session:
    session = _botocore_session()
    # botocore has no public way to give a session credentials that refresh themselves.
    session._credentials = _ReaderCredentials(account)  # type: ignore[attr-defined]
    return boto3.Session(botocore_session=session)


class _ReaderCredentials(Credentials):
    """The credentials of an account's reader role: whatever the run is, the clients are the same."""

    def __init__(self, account: str) -> None:
        self.method = "assume-role"
        self._assumed = lru_cache(maxsize=_MOST_RUNS)(partial(_assumed, account))

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Those of the session that is named after the run."""
        return self._assumed(_session_name).get_frozen_credentials()

    def get_deferred_property(self, property_name: str) -> Callable[[], Any]:
        """What an endpoint is made of, like the ID of the account."""
        return lambda: getattr(self.get_frozen_credentials(), property_name, None)


def _assumed(account: str, session_name: str) -> DeferredRefreshableCredentials:
    is_own = account == os.environ.get("ACCOUNT")
    arn = os.environ["OWN_READER_ROLE_ARN"] if is_own else os.environ["READER_ROLE_ARN"].format(account=account)
    fetcher = AssumeRoleCredentialFetcher(
        _botocore_session().create_client,
        _session().get_credentials(),
        arn,
        extra_args={"ExternalId": os.environ["EXTERNAL_ID"], "RoleSessionName": session_name},
    )
    fetch = partial(_own_role_assumed, arn, fetcher.fetch_credentials) if is_own else fetcher.fetch_credentials
    return DeferredRefreshableCredentials(fetch, "assume-role")


def _own_role_assumed(arn: str, fetch: Callable[[], Any]) -> Any:
    """Whatever denies it, it is no target that is denied: the deployment reads nothing in its own account."""
    try:
        return fetch()
    except ClientError as error:
        if denied := own_resources.denied_to_itself(error, f"could not assume role {arn}"):
            raise denied from error
        raise


def _botocore_session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", api.LOADER)
    session.register_component("response_parser_factory", Parsers())
    return session


def is_running(execution: str) -> bool:
    """Return whether Step Functions runs the execution with this ARN. Raises the errors of `pageturner.errors`."""
    return running_redrive(execution) is not None


def running_redrive(execution: str) -> int | None:
    """Return after how many redrives Step Functions runs the execution with this ARN; None if it does not run.

    What it says may be a moment old (Step Functions API Reference, "DescribeExecution"). Raises the errors of
    `pageturner.errors`.
    """
    try:
        found = client("stepfunctions").describe_execution(
            # Not the input and the output, which may be encrypted with a key that the functions may not use.
            executionArn=execution,
            includedData="METADATA_ONLY",
        )
    except errors.SERVICE_ERRORS as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in (
            "ExecutionDoesNotExist",
            "InvalidArn",
        ):
            return None
        from pageturner.paging.error_meanings import from_service_error  # only an error needs its expressions

        denied = own_resources.denied_to_itself(error, f"could not ask for execution {execution}")
        raise denied or from_service_error(error) from error
    return int(found.get("redriveCount", 0)) if found["status"] in ("RUNNING", "PENDING_REDRIVE") else None
