"""A target, and why it is not complete, in the words of a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pageturner.crawls.crawl import Crawl
from pageturner.crawls.from_items import parameters_in_words
from pageturner.messages import count_of, shortened, shown

Entry = Mapping[str, Any]
_LONGEST_CAUSE = 500
# How botocore's ClientError says what the service said.
_SERVICE_ERROR = re.compile(r"An error occurred \((?P<code>[^)]+)\) when calling the .+? operation(?: \(.+?\))?: ")


def named(entry: Entry, crawl: Crawl | None = None) -> str:
    """A target in words: its account, region, operation and parameters, which say more to a person than its id.

    With its `crawl`, for a message, which travels further than the manifest does: it has no values of items, but the
    id, which leads to them in the manifest and in the report.
    """
    words = [entry["account"], entry["region"]]
    if "operation" in entry:
        words += [entry["service"], entry["operation"]]
    if entry["parameters"]:
        words.append(
            shown(entry["parameters"]) if crawl is None else parameters_in_words(crawl.service, crawl.operation, entry)
        )
    if (part := entry.get("part")) and part["count"] > 1:
        words.append(f"part {part['number']} of {part['count']}")
    return " ".join(words)


def why(crawl: Crawl, entry: Entry) -> str:
    """Why a target is not complete, in a message."""
    error, cause = entry.get("error"), shortened(" ".join(entry.get("cause", "").split()), _LONGEST_CAUSE)
    if error:
        said = f"{error}: {cause}"
    elif entry["verdict"] == "endless":
        said = f"the listing has more than max_pages ({crawl.max_pages:,}) pages"
    else:
        said = "it was cut short, and no error is on record; its execution was stopped or has failed"
    if entry["throttles"]:
        last = _SERVICE_ERROR.sub("", entry["last_throttle"])
        said = f"{said.rstrip('.')}; throttled {count_of(entry['throttles'], 'time')}, last: {last}"
    return said.rstrip(".")


def code_of(entry: Entry) -> str:
    """The service's own error code, or "" if the error is not the service's."""
    found = _SERVICE_ERROR.search(entry.get("cause", ""))
    return found["code"] if found else ""


def is_of_a_role(cause: str) -> bool:
    """Whether a cause is about the role that an account is read through, and not about what was to be read."""
    return "calling the AssumeRole operation" in cause
