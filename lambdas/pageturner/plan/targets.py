"""Makes the run and the targets of a crawl, and their names."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from pageturner.crawls.bindings import Binding
from pageturner.crawls.checks import check_parameters
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.from_items import in_words, parameters_in_words
from pageturner.crawls.since import Window, any_window, in_window
from pageturner.errors import InvalidCrawlError
from pageturner.messages import shown, without
from pageturner.page_state import Run, Target, part_id, utc_text
from pageturner.paging import split

# How long people may still ask about a run.
_KEPT = timedelta(days=400)
_WRONG_SHOWN = 5
# How botocore quotes a value (botocore/validate.py).
_VALUE = re.compile(r" value: .*?,(?= (?:type|valid) )", re.DOTALL)
# Step Functions' limit for what goes into a state and comes out of it, in bytes…
_LARGEST_PAYLOAD = 256 * 1024
# … and the part of it for what else is in there: the run, the place before and after, the cause of an error, ARNs.
_FOR_THE_REST = 32 * 1024


def plan_run(crawl: Crawl, execution_id: str, started_at: str, entered_at: str) -> Run:
    """Name the run that an execution begins. The same execution always gets the same name, so a retry is harmless.

    `started_at` and `entered_at` are Step Functions' ISO 8601 times of the execution's and PlanRun's start.
    """
    began = datetime.fromisoformat(started_at).astimezone(UTC)
    unique = hashlib.sha256(execution_id.encode()).hexdigest()[:8]
    return Run(
        run_id=f"{crawl.name}-{began:%Y%m%dT%H%M%SZ}-{unique}",
        date=f"{began:%Y-%m-%d}",
        started_at=utc_text(began),
        deadline=deadline(crawl, entered_at),
        expires_at=int((began + _KEPT).timestamp()),
        execution=execution_id,
    )


def deadline(crawl: Crawl, entered_at: str) -> str:
    """Return the deadline of a run that is planned, or resumed, at `entered_at`."""
    return utc_text(datetime.fromisoformat(entered_at).astimezone(UTC) + timedelta(hours=crawl.deadline_hours))


def listings(
    crawl: Crawl, places_of: Callable[[Binding], Iterable[tuple[str, str]]], bindings: Iterable[Binding]
) -> Iterator[Target]:
    """Yield the listings of `crawl`, each once: for each binding, those in its places (account, region).

    Raises `InvalidCrawlError` if the operation does not take a binding's parameters.
    """
    seen: set[str] = set()
    for binding in bindings:
        parameters = {**crawl.parameters, **binding.parameters}
        if binding.parameters:
            whole = {**(any_window(crawl.service, crawl.since) if crawl.since else {}), **parameters}
            _check(crawl, whole, are_from_items=binding.parent is not None)
        # A listing has the same id in every run, so its items keep their identity.
        identity = json.dumps([crawl.service, crawl.operation, parameters], sort_keys=True)
        # 64 bits: with 40, two targets would collide in one of 200 runs of 100,000 targets.
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        for account, region in places_of(binding):
            target_id = f"{account}-{region}-{digest}"
            if target_id not in seen:
                seen.add(target_id)
                yield Target(target_id, account, region, parameters, parent=binding.parent)


def parts(
    crawl: Crawl,
    listing: Target,
    keys_after: Callable[[Target, str, int], tuple[Sequence[str], bool]],
    window: Window | None = None,
) -> Iterator[Target]:
    """Yield the targets that a listing is split into, or the listing itself if the crawl does not split.

    What a listing has in a `window` of time is a part of it: its name is the same in every run.
    """
    if window is not None:
        parameters, part = in_window(crawl, listing.parameters, window)
        yield replace(listing, target_id=part_id(listing.target_id, part.number), parameters=parameters, part=part)
        return
    way = split.way_of(crawl.service, crawl.operation)
    if crawl.split is None or way is None:
        yield listing
        return

    probe = partial(keys_after, listing)
    for parameters, part in split.parts(way, listing.parameters, crawl.split, probe):
        yield replace(listing, target_id=part_id(listing.target_id, part.number), parameters=parameters, part=part)


def small_enough(crawl: Crawl, planned: Iterable[Target]) -> Iterator[Target]:
    """Yield targets that Step Functions can pass on, each with its crawl.

    Raises `InvalidCrawlError` for a target that is too large.
    """
    most = room_for_targets(crawl)
    for target in planned:
        if (size := size_of(target.as_dict())) > most:
            raise InvalidCrawlError(
                f"parameters: too large for Step Functions in {target.target_id}, "
                f"{parameters_in_words(crawl.service, crawl.operation, target.as_dict())}: "
                f"as text, the target takes {size:,} bytes, and can take {most:,}; list less with each target"
            )
        yield target


def room_for_targets(crawl: Crawl) -> int:
    """Return how many bytes the targets in a state of a crawl can take, as `size_of` measures them."""
    return _LARGEST_PAYLOAD - _FOR_THE_REST - size_of(crawl.for_pages())


def size_of(document: Mapping[str, Any]) -> int:
    """Return the bytes of a document in the input of startSyncExecution, which is JSON text inside JSON."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return len(json.dumps(text, ensure_ascii=False).encode(errors="surrogatepass"))


def _check(crawl: Crawl, parameters: Mapping[str, Any], *, are_from_items: bool) -> None:
    wrong = list(check_parameters(crawl.service, crawl.operation, parameters))
    if not wrong and crawl.split is not None and (way := split.way_of(crawl.service, crawl.operation)):
        wrong = list(split.wrong(way, parameters))
    if wrong:
        lines, given = "; ".join(islice(wrong, _WRONG_SHOWN)), shown(parameters)
        if are_from_items:
            lines, given = without(_VALUE.sub("", lines), parameters), in_words(parameters)
        raise InvalidCrawlError(f"for_each: invalid parameters for {crawl.service} {crawl.operation}, {given}: {lines}")
