"""CheckCrawls: says which crawls do not run as their schedules promise, and whose runs are not published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pageturner import notices, telemetry
from pageturner.crawls.crawl import Crawl
from pageturner.stores import Stores
from pageturner.watch.checking import Checker, notice_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@telemetry.handler
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Check all crawls of the catalogue, whatever the event is. Returns those that are `overdue`.

    Each is a line of the log; both metrics have a value each time, so that an alarm sees if this has not run either. If
    some could not be checked, raises the error of the first when all is said of the others.
    """
    checker = Checker(Stores.of_environment().history, _catalogue(), datetime.now(UTC))
    checked = list(checker.check_all())
    for each in checked:
        telemetry.logger.info("crawl checked", extra=each.facts())
    overdue = [each for each in checked if each.overdue]
    telemetry.measure(
        CrawlsOverdue=len(overdue), PublishLagSeconds=max((each.publish_lag_seconds for each in checked), default=0)
    )
    if newly := [each for each in overdue if each.newly_overdue]:
        notices.send(notice_of(newly))
    checker.remember(checked)
    checker.forget()
    if checker.errors:
        raise checker.errors[0]
    return {"overdue": [each.crawl for each in overdue]}


@cache
def _catalogue() -> Mapping[str, Crawl]:
    """Return the catalogue, which was validated when the app was synthesized."""
    document = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))
    return {name: Crawl.from_dict({"name": name, **entry}) for name, entry in document["crawls"].items()}
