"""Finds the targets that ShortTargets has left: they are long, or something was in their way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pageturner.page_state import Run
from pageturner.stores import Stores
from pageturner.stores.keys import long_targets_key


def put_long_targets(stores: Stores, run: Run, targets_key: str) -> dict[str, Any]:
    """Put those targets of a targets file that have neither come to their end nor to a verdict; return where they are.

    They are found by their records, not by how their executions ended: an Express execution can be lost, and can be
    repeated. If this is done again, what was put first counts. Raises `SinkError`.
    """
    key = long_targets_key(targets_key)

    def left() -> Iterator[Mapping[str, Any]]:
        ended = stores.checkpoints.ended(run) | {of for of, _ in stores.targets.verdicts(run)}
        for target in stores.pages.json_array(targets_key):
            if target["target_id"] not in ended:
                yield target

    return {"bucket": stores.pages.bucket, "key": key, "count": stores.pages.put_array(key, left())}
