"""Tells a service that is not in a region, which has no endpoint there, from one that cannot be reached."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from botocore.exceptions import EndpointConnectionError

from pageturner import clients, errors
from pageturner.paging import api

# A name that does not exist, or has no address. EAI_AGAIN, a resolver that does not answer, is not among them.
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# The name of a directory bucket ends with its zone and this: "bucket-base-name--zone-id--x-s3" (S3 User Guide,
# "Directory bucket naming rules"). Its endpoint is the zone's, so a bucket whose zone is misspelled has none.
_OF_A_DIRECTORY_BUCKET = "--x-s3."


def no_endpoint(error: EndpointConnectionError, service: str, region: str) -> errors.NoEndpointError | None:
    """Return the error that `service` is not in `region`, or None if it may be there."""
    host = urlsplit(str(error.kwargs.get("endpoint_url"))).hostname or ""
    if _OF_A_DIRECTORY_BUCKET in host:
        return None
    # The name of another region is not the target's: AssumeRole is called in the deployment's.
    if region not in host or not any(_is_no_such_name(cause) for cause in _causes(error)) or not _names_resolve():
        return None
    known = region in api.regions_of(service, api.partition_of(region))
    doubt = "; botocore lists this region for the service, so its name may be hidden or down" if known else ""
    return errors.NoEndpointError(f"{service} has no endpoint in {region}: there is no name {host}{doubt}")


def _causes(error: EndpointConnectionError) -> Iterator[BaseException]:
    cause: BaseException | None = error.kwargs.get("error")
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _is_no_such_name(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME


def _names_resolve() -> bool:
    """Whether the resolver knows a name that every region has, and that every page needs: DynamoDB's."""
    host = urlsplit(clients.client("dynamodb").meta.endpoint_url).hostname
    try:
        return bool(socket.getaddrinfo(host, 443))
    except socket.gaierror:
        return False
