"""Whether what stands for AWS here is MiniStack, the emulator of `make local`, and not AWS itself."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

_SECONDS = 10


class EndpointError(Exception):
    """Nothing answers at AWS_ENDPOINT_URL."""


def is_emulator(endpoint_url: str | None) -> bool:
    """Return whether MiniStack answers at `endpoint_url`, the value of AWS_ENDPOINT_URL. Raises `EndpointError`."""
    if not endpoint_url:
        return False
    parts = urlsplit(endpoint_url)
    if parts.scheme != "http" or parts.hostname is None:
        return False  # MiniStack is on this machine, without TLS
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)
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
