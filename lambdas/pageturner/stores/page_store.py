"""The page objects in S3. They are the record of a run; everything else is a projection of them.

An object holds a page's items and the token of the next page. One request puts both, and the first writer wins: an API
may answer the same token twice with different pages, and the items of one answer with the token of the other would lose
items. Its metadata holds counts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from pageturner.errors import SinkError
from pageturner.formats import known, readable, stamped
from pageturner.own_resources import as_sink_error
from pageturner.page_state import Place, Run, Target
from pageturner.paging.pagination import REFERENCE
from pageturner.stores.keys import page_key, token_key
from pageturner.stores.page_body import body_of, records_in, token_in

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A longer token, which would fill the states, is put first, in an object of its own.
_LONGEST_TOKEN = 1500
_FACTS = "page"
_CHUNK = 64 * 1024


End = Literal["complete", "limited", "repeated", "circle", "truncated", "endless"]


@dataclass(frozen=True)
class Facts:
    """What is known of a page besides its items, and put with them.

    `next_token` fetches the next page. At the end of the listing, `end` says why it ended: "complete"; "limited" by
    `MaxItems` (then `next_token` is boto3's resume token) or by where it began; "repeated" if the token is the one that
    fetched this page, and "circle" if it leads back to an earlier page; "truncated" if the page says that there is
    more, but has no token; "endless" if there are more pages than the crawl allows. `taken` counts what `MaxItems`
    counts, `page_errors` the errors beside the items, `ignored_errors` those that the crawl ignores, and `sums` has the
    numbers among the result keys. `mark` stands for the page in the search for circles. `miscount` is how many more
    items the answer said that it had, and `missing_details` how many details are null.
    """

    next_token: str | None
    end: End | None
    taken: int
    sums: Mapping[str, float]
    page_errors: int = 0
    ignored_errors: int = 0
    mark: str = ""
    miscount: int = 0
    missing_details: int = 0


@dataclass(frozen=True)
class CommittedPage:
    """A page as stored under `key`; `bytes` is the size of its object, `is_repeat` that it was there already."""

    records: list[dict[str, Any]]
    facts: Facts
    bytes: int
    key: str
    is_repeat: bool = False


@dataclass(frozen=True)
class Version:
    """A version of an object, and its metadata."""

    etag: str
    metadata: Mapping[str, str]


class PageStore:
    """Commits pages to the items bucket and reads them back."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def commit(
        self,
        run: Run,
        crawl_name: str,
        target: Target,
        place: Place,
        records: list[dict[str, Any]],
        facts: Facts,
    ) -> CommittedPage:
        """Put the page and return it. If another invocation was first, return the page that *it* put.

        Raises `SinkError` if S3 does not accept it.
        """
        key = page_key(run, crawl_name, target, place)
        kept = replace(facts, next_token=self.keep_token(run, facts.next_token))
        body = body_of(records, kept.next_token)
        about = {_FACTS: json.dumps(stamped(asdict(replace(kept, next_token=None))))}
        if not self._put_instead_of(None, key, Body=body, Metadata=about, ContentType="application/gzip"):
            return replace(self.read(key), is_repeat=True)
        return CommittedPage(records, kept, len(body), key)

    def read(self, key: str) -> CommittedPage:
        """Return the page stored under `key`. Raises `SinkError`."""
        with as_sink_error(f"could not read s3://{self.bucket}/{key}"):
            found = self._s3.get_object(Bucket=self.bucket, Key=key)
            body = found["Body"].read()
        facts = Facts(**known(Facts, readable(json.loads(found["Metadata"][_FACTS]), f"s3://{self.bucket}/{key}")))
        if (token := token_in(body)) is not None:  # earlier versions had it in the metadata
            facts = replace(facts, next_token=token)
        return CommittedPage(records_in(body), facts, len(body), key)

    def keep_token(self, run: Run, token: str | None) -> str | None:
        """Return what stands for `token` in page objects and states: itself, or a reference to an object with it."""
        if token is None or len(token) <= _LONGEST_TOKEN:
            return token
        key = token_key(run, token)
        self.put_json(key, token)
        return f"{REFERENCE}{key}"

    def token(self, kept: str | None) -> str | None:
        """Return the token that `keep_token` kept as `kept`."""
        if kept is None or not kept.startswith(REFERENCE):
            return kept
        return str(self.get_json(kept.removeprefix(REFERENCE)))

    def put_json(self, key: str, document: Any) -> None:
        """Put `document` as JSON. Raises `SinkError`."""
        body = json.dumps(document).encode()
        with as_sink_error(f"could not write s3://{self.bucket}/{key}"):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")

    def get_json(self, key: str) -> Any:
        """Return the JSON document under `key`. Raises `SinkError`."""
        with as_sink_error(f"could not read s3://{self.bucket}/{key}"):
            return json.loads(self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def find_json(self, key: str) -> Any | None:
        """Return the JSON document under `key`, or None if there is none. Raises `SinkError`."""
        with as_sink_error(f"could not read s3://{self.bucket}/{key}"):
            body = self._body(key)
            return json.loads(body.read()) if body is not None else None

    def put_text(
        self,
        key: str,
        chunks: Iterable[str],
        metadata: Callable[[], Mapping[str, str]],
        instead_of: Version | None = None,
        content_type: str = "application/json",
    ) -> bool:
        """Put a text in chunks; it may be larger than memory. Raises `SinkError`.

        `metadata` is asked for when all chunks are read. Returns False if there is an object already, or if it is not
        the version `instead_of` any more.
        """
        with tempfile.TemporaryFile() as file:
            for chunk in chunks:
                file.write(chunk.encode())
            file.seek(0)
            about = {"ContentType": content_type, "Metadata": dict(metadata())}
            return self._put_instead_of(instead_of, key, Body=file, **about)

    def download(self, key: str, path: Path) -> bool:
        """Copy the object under `key` to a file. Returns False if there is none. Raises `SinkError`."""
        with as_sink_error(f"could not read s3://{self.bucket}/{key}"), path.open("wb") as file:
            body = self._body(key)
            if body is None:
                return False
            for chunk in body.iter_chunks(_CHUNK):
                file.write(chunk)
        return True

    def put_file(self, key: str, path: Path) -> bool:
        """Put a file. Returns False if there is an object under `key` already, which stays. Raises `SinkError`."""
        with path.open("rb") as file:
            return self._put_instead_of(None, key, Body=file)

    def put_newer(self, key: str, path: Path, generation: int) -> None:
        """Put a file of a run, unless that of a later generation of the run is there. Raises `SinkError`."""
        is_put = False
        while not is_put:
            there = self.version(key)
            if there is not None and int(there.metadata["generation"]) > generation:
                return
            with path.open("rb") as file:
                is_put = self._put_instead_of(there, key, Body=file, Metadata={"generation": str(generation)})

    def mark_superseded(self, key: str) -> None:
        """Tag a file that a later one has superseded, for the bucket's lifecycle rules. It may be gone already."""
        tags: Any = {"TagSet": [{"Key": "superseded", "Value": "true"}]}
        with as_sink_error(f"could not tag s3://{self.bucket}/{key}"):
            try:
                self._s3.put_object_tagging(Bucket=self.bucket, Key=key, Tagging=tags)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise

    def delete(self, key: str) -> None:
        """Delete an object; it may be gone already. Raises `SinkError`."""
        with as_sink_error(f"could not delete s3://{self.bucket}/{key}"):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def _put_instead_of(self, there: Version | None, key: str, **request: Any) -> bool:
        """Put an object instead of the version that is `there` (None: there is none); return whether it was.

        A 409, ConditionalRequestConflict, is a SinkError: somebody else is putting this object right now.
        """
        condition: Any = {"IfNoneMatch": "*"} if there is None else {"IfMatch": there.etag}
        with as_sink_error(f"could not write s3://{self.bucket}/{key}"):
            try:
                self._s3.put_object(Bucket=self.bucket, Key=key, **request, **condition)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("PreconditionFailed", "NoSuchKey"):
                    raise
                return False
        return True

    def _body(self, key: str) -> Any:
        """Return the body of an object, or None if there is none."""
        try:
            return self._s3.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return None

    def version(self, key: str) -> Version | None:
        """Return the version of the object under `key` that there is now, or None. Raises `SinkError`."""
        with as_sink_error(f"could not read s3://{self.bucket}/{key}"):
            try:
                found = self._s3.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                return None
        return Version(found["ETag"], found["Metadata"])

    def json_array(self, key: str) -> Iterator[Any]:
        """Yield the elements of a JSON array that `array_text` wrote. Raises `SinkError`."""
        for line in self.lines(key):
            if line not in ("[", "]"):
                yield json.loads(line.removesuffix(","))

    def put_array(self, key: str, elements: Iterable[Any]) -> int:
        """Put a JSON array unless it is there, and return how many elements it has then. Raises `SinkError`."""
        count = 0

        def counted() -> Iterator[Any]:
            nonlocal count
            for element in elements:
                count += 1
                yield element

        if self.put_text(key, array_text(counted()), lambda: {"count": str(count)}):
            return count
        there = self.version(key)
        if there is None:
            raise SinkError(f"s3://{self.bucket}/{key} was there, and is not any more")
        return int(there.metadata["count"])

    def lines(self, key: str) -> Iterator[str]:
        """Yield the lines of a text, which is ASCII. Raises `SinkError`."""
        with as_sink_error(f"could not read s3://{self.bucket}/{key}"):
            for line in self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].iter_lines(chunk_size=_CHUNK):
                yield line.decode("ascii")


def array_text(elements: Iterable[Any]) -> Iterator[str]:
    """Yield the JSON text of an array in chunks, one element a line."""
    yield "["
    for number, element in enumerate(elements):
        yield (",\n" if number else "\n") + json.dumps(element)
    yield "\n]"
