"""The body of a page object: gzip with a JSON line for each item, and the token of the next page in gzip's header.

A token can hold data: that of DynamoDB is the key of an item. S3 encrypts an object, but not its metadata, which more
people may list. Who reads the lines skips the header's extra field (RFC 1952, section 2.3.1.1).
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii as _text
from typing import Any

_COMPRESSION = 6
# The header without optional fields, its flags, and the flag of the extra field. The field has a length, and one part
# here: two letters, a length, and the token.
_HEADER, _FLAGS, _HAS_EXTRA = 10, 3, 4
_EXTRA = struct.Struct("<H2sH")
_TOKEN = b"PT"


def body_of(records: Iterable[Mapping[str, Any]], token: str | None) -> bytes:
    """Return the body with a page's records and the token of the next page, which has at most 65,531 bytes."""
    body = gzip.compress("".join(json_lines(records)).encode("ascii"), compresslevel=_COMPRESSION, mtime=0)
    return body if token is None else with_token(body, token)


def with_token(body: bytes, token: str) -> bytes:
    """Return a body without optional fields in its header, with a token there."""
    kept = token.encode()
    flags = bytes([body[_FLAGS] | _HAS_EXTRA])
    extra = _EXTRA.pack(len(kept) + 4, _TOKEN, len(kept)) + kept
    return body[:_FLAGS] + flags + body[_FLAGS + 1 : _HEADER] + extra + body[_HEADER:]


def token_in(body: bytes) -> str | None:
    """Return the token in a body's header, or None if it has none."""
    if not body[_FLAGS] & _HAS_EXTRA:
        return None
    _, _, length = _EXTRA.unpack_from(body, _HEADER)
    begins = _HEADER + _EXTRA.size
    return body[begins : begins + length].decode()


def records_in(body: bytes) -> list[dict[str, Any]]:
    """Return the records in a body."""
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def json_lines(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the JSON line of each record of a page. Those of a result key differ only in `key` and `item`."""
    around: dict[str, tuple[str, str, str]] = {}
    for record in records:
        if (found := around.get(record["result_key"])) is None:
            # What is in a text cannot be taken for a member: its quotes are escaped.
            line = json.dumps({**record, "key": {}, "item": {}}, separators=(",", ":"))
            (before, rest) = line.split('"key":{}')
            (between, after) = rest.split('"item":{}')
            found = around[record["result_key"]] = (f'{before}"key":', f'{between}"item":', f"{after}\n")
        before, between, after = found
        yield f"{before}{_text(record['key'])}{between}{_text(record['item'])}{after}"
