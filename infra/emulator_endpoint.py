"""Whether what stands for AWS here is MiniStack, the emulator of `make local`, and not AWS itself."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

_SECONDS = 10


class EndpointError(Exception):
    """AWS_ENDPOINT_URL is no URL, or nothing answers there."""


def is_emulator(endpoint_url: str | None) -> bool:
    """Return whether MiniStack answers at `endpoint_url`, the value of AWS_ENDPOINT_URL. Raises `EndpointError`."""
    if not endpoint_url:
        return False
    try:
        parts = urlsplit(endpoint_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise EndpointError(f"AWS_ENDPOINT_URL is {endpoint_url}, which is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or host is None:
        raise EndpointError(f"AWS_ENDPOINT_URL is {endpoint_url}; it must begin with http:// or https://")
    if parts.scheme == "https":
        return False  # MiniStack is on this machine, without TLS
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        answer = connection.getresponse()
        return answer.status == 200 and "services" in json.loads(answer.read())
    except (http.client.HTTPException, ValueError):
        return False
    except OSError as error:
        # A guess could deploy functions to the emulator that only work on AWS.
        raise EndpointError(
            f"AWS_ENDPOINT_URL is {endpoint_url}, and nothing answers there ({error}). If it is the emulator, is "
            f"`make local` still running? To use AWS itself, unset AWS_ENDPOINT_URL."
        ) from error
    finally:
        connection.close()
