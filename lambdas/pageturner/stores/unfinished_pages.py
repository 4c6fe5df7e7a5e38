"""Pages whose items lack details, in S3: a page, and the details that it has so far, are one object.

The first writer's page stays: whoever writes later has read it, and replaces only the version that it has read. So the
details of one page are never among the items of another, and whoever comes second loses its own, which are asked again.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pageturner.own_resources import as_sink_error
from pageturner.page_state import Place, Run, Target
from pageturner.stores.keys import unfinished_page_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_COMPRESSION = 1  # it is read once


@dataclass(frozen=True)
class Unfinished:
    """What was kept of a page: a JSON `document`, and the version of its object."""

    document: Any
    etag: str


class UnfinishedPages:
    """Keeps pages in the items bucket until they are whole."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def find(self, run: Run, target: Target, place: Place) -> Unfinished | None:
        """Return what was kept of the page at `place`, or None. Raises `SinkError`."""
        key = unfinished_page_key(run, target, place)
        with as_sink_error(f"could not read s3://{self._bucket}/{key}"):
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                return None
            return Unfinished(json.loads(gzip.decompress(found["Body"].read())), found["ETag"])

    def keep(self, run: Run, target: Target, place: Place, document: Any, instead_of: str | None) -> str | None:
        """Keep a page, and return the version of its object: `instead_of` a version (None: there was none).

        Returns None, and keeps what is there, if that is another version. Raises `SinkError`.
        """
        key = unfinished_page_key(run, target, place)
        body = gzip.compress(json.dumps(document).encode("ascii"), compresslevel=_COMPRESSION, mtime=0)
        condition: Any = {"IfNoneMatch": "*"} if instead_of is None else {"IfMatch": instead_of}
        with as_sink_error(f"could not write s3://{self._bucket}/{key}"):
            try:
                return self._s3.put_object(
                    Bucket=self._bucket, Key=key, Body=body, ContentType="application/gzip", **condition
                )["ETag"]
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("PreconditionFailed", "NoSuchKey"):
                    raise
                return None
