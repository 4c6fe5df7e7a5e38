"""The service that is crawled: buckets whose keys change, with tokens that expire, throttles and refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes import client_error
from tests.machines.clock import Clock


@dataclass
class Bucket:
    """The keys of a bucket, and since when each has been there, or not, in pairs of time and presence."""

    history: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    denied: bool = False

    def put(self, key: str, now: float) -> None:
        self.history.setdefault(key, []).append((now, True))

    def delete(self, key: str, now: float) -> None:
        self.history[key].append((now, False))

    @property
    def keys(self) -> list[str]:
        return sorted(key for key, changes in self.history.items() if changes[-1][1])

    def size(self, key: str) -> int:
        """The size of an object, another one whenever it was put."""
        return sum(present for _, present in self.history[key])

    def throughout(self, begin: float, end: float) -> set[str]:
        """The keys that were there all the time from `begin` to `end`."""
        return {key for key, changes in self.history.items() if all(_presences(changes, begin, end))}

    def ever(self, begin: float, end: float) -> set[str]:
        """The keys that were there at some time from `begin` to `end`."""
        return {key for key, changes in self.history.items() if any(_presences(changes, begin, end))}


def _presences(changes: list[tuple[float, bool]], begin: float, end: float) -> list[bool]:
    before = [present for at, present in changes if at <= begin]
    return [before[-1] if before else False, *(present for at, present in changes if begin < at <= end)]


@dataclass
class Service:
    """S3 as it is crawled. A token is when it was made, and the last key of the page before.

    All tokens that were made before `tokens_from` have expired. It can be in the future: then tokens do not last.
    """

    clock: Clock
    buckets: dict[str, Bucket] = field(default_factory=dict)
    throttled_until: float = 0
    tokens_from: float = 0

    def get_metric_data(self, *, MetricDataQueries: list[Any], **_: Any) -> dict[str, Any]:
        """CloudWatch's count of a bucket, at this moment."""
        dimensions = MetricDataQueries[0]["MetricStat"]["Metric"]["Dimensions"]
        (name,) = [each["Value"] for each in dimensions if each["Name"] == "BucketName"]
        return {"MetricDataResults": [{"Values": [float(len(self.buckets[name].keys))], "Timestamps": []}]}

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        MaxKeys: int = 1000,
        ContinuationToken: str | None = None,
        StartAfter: str = "",
        Delimiter: str = "",
    ) -> dict[str, Any]:
        bucket = self.buckets[Bucket]
        if bucket.denied:
            raise client_error("AccessDenied", "ListObjectsV2")
        if self.clock.now < self.throttled_until:
            raise client_error("SlowDown", "ListObjectsV2")
        after = StartAfter
        if ContinuationToken is not None:
            made, _, after = ContinuationToken.partition(":")
            if float(made) < self.tokens_from:
                raise client_error("InvalidArgument", "ListObjectsV2")
        left = [key for key in bucket.keys if key > after]
        page: dict[str, Any] = {
            "Contents": [{"Key": key, "Size": bucket.size(key)} for key in left[:MaxKeys]],
            "IsTruncated": len(left) > MaxKeys,
            "KeyCount": len(left[:MaxKeys]),
        }
        if len(left) > MaxKeys:
            page["NextContinuationToken"] = f"{self.clock.now}:{left[MaxKeys - 1]}"
        return page
