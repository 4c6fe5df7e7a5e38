"""Finds the targets that ShortTargets has left: they are long, or something was in their way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pageturner.errors import SinkError
from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.keys import long_targets_key
from pageturner.stores.page_store import array_text


def put_long_targets(stores: Stores, run: Run, targets_key: str) -> dict[str, Any]:
    """Put those targets of a targets file that have neither come to their end nor to a verdict; return where they are.

    They are found by their records, not by how their executions ended: an Express execution can be lost, and can be
    repeated. If this is done again, what was put first counts. Raises `SinkError`.
    """
    key, count = long_targets_key(targets_key), 0

    def documents() -> Iterator[Mapping[str, Any]]:
        nonlocal count
        ended = stores.checkpoints.ended(run) | {of for of, _ in stores.targets.verdicts(run)}
        for target in stores.pages.json_array(targets_key):
            if target["target_id"] not in ended:
                count += 1
                yield target

    if not stores.pages.put_text(key, array_text(documents()), lambda: {"count": str(count)}):
        there = stores.pages.version(key)
        if there is None:
            raise SinkError(f"s3://{stores.pages.bucket}/{key} was there, and is not any more")
        count = int(there.metadata["count"])
    return {"bucket": stores.pages.bucket, "key": key, "count": count}
