"""What is redacted by default: fields of answers that are known to hold secrets.

``secret_fields.txt`` has their paths, by operation; `make read-operations` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pageturner.paging.redaction import Redaction

_FILE = Path(__file__).with_name("secret_fields.txt")
# In secret_fields.txt, before the path of a field that is the key of its items: masked, all of them would have one key.
HASHED = "hash:"
# The names of the defaults, and what each is about.
DEFAULTS: Mapping[str, str] = {
    "environment": "values of environment variables, and of options that serve as such",
    "secure-strings": "values of SSM parameters of the type SecureString",
    "secret-values": "values of Secrets Manager's secrets",
    "user-data": "user data of instances, launch templates and launch configurations",
    "api-keys": "API keys",
    "passwords": "passwords, pre-shared keys, and configurations that contain them",
    "client-secrets": "OAuth client secrets",
    "tokens": "credentials, tokens, stream keys, private keys and activation codes",
    "custom-headers": "values of HTTP headers and query strings that are sent to others",
    "signed-urls": "URLs that let whoever has them get or put what is there",
}


@cache
def secret_fields(service: str, operation: str) -> Mapping[str, tuple[str, ...]]:
    """Return the paths, as JMESPath on the answer, by the name of the default; empty if nothing in it is secret."""
    found: dict[str, tuple[str, ...]] = {}
    with _FILE.open(encoding="utf-8") as lines:
        line = next((line for line in lines if line.startswith(f"{service} {operation} ")), "")
    for text in line.split()[2:]:
        name, _, path = text.partition("=")
        found[name] = (*found.get(name, ()), path)
    return found


@cache
def default_redaction(service: str, operation: str, kept: tuple[str, ...]) -> Redaction | None:
    """Return what is redacted in the answers of an operation, except by the defaults that are `kept` off."""
    fields = secret_fields(service, operation)
    return redaction_of(path for name, paths in fields.items() if name not in kept for path in paths)


def redaction_of(paths: Iterable[str]) -> Redaction | None:
    """Return the redaction of paths like those of the file."""
    texts = list(paths)
    ways = {
        "mask": tuple(path for path in texts if not path.startswith(HASHED)),
        "hash": tuple(path.removeprefix(HASHED) for path in texts if path.startswith(HASHED)),
    }
    return Redaction.of({way: its for way, its in ways.items() if its})
