"""Asks who else counts a listing, when its last page is turned. The listing is as complete without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pageturner import errors
from pageturner.clients import Client
from pageturner.crawls.witnessing import lists_all, witness_of_listing
from pageturner.messages import shortened
from pageturner.page_state import PageState, Target, utc_text
from pageturner.paging import split
from pageturner.paging.counts import total_in
from pageturner.paging.witnesses import Asked, Witness
from pageturner.stores import Stores
from pageturner.stores.witness_records import Testimony

_LONGEST_WHY = 300


@dataclass(frozen=True)
class Witnesses:
    """Asks, and records what was said. `client` creates a client that does not wait for long."""

    client: Client
    stores: Stores

    def ask(self, state: PageState, pass_number: int, answer: Mapping[str, Any], now: datetime) -> None:
        """Ask once about a listing that has ended complete with this last `answer`. Raises only `SinkError`."""
        parameters = _of_whole_listing(state)
        if parameters is None:
            return
        target, crawl = state.target, state.crawl
        witness = witness_of_listing(crawl, parameters)
        if witness is not None:
            if self.stores.witnesses.claim(state.run, target, pass_number, witness.who):
                said = self._said(witness, Asked(parameters, target.account, target.region, now), target)
                self.stores.witnesses.record(state.run, target, pass_number, said)
            return
        found = total_in(crawl.service, crawl.operation, answer) if target.part is None and lists_all(crawl) else None
        if found is not None:
            total, number = found
            said = Testimony(f"{crawl.service} ({total.member})", number, utc_text(now), exact=not total.about)
            if self.stores.witnesses.claim(state.run, target, pass_number, said.who):
                self.stores.witnesses.record(state.run, target, pass_number, said)

    def _said(self, witness: Witness, asked: Asked, target: Target) -> Testimony:
        none = Testimony(witness.who, age=witness.lag_hours, exact=witness.exact, more=witness.more)
        try:
            client = self.client(witness.service, target.region, target.account)
            answer = getattr(client, witness.operation)(**witness.question(asked))
            count = witness.counted(answer)
        # The last one is that of an answer that is too large.
        except (*errors.SERVICE_ERRORS, *errors.UNEXPECTED_VALUES, errors.InvalidRequestError) as error:
            return _without(none, errors.said(error))
        if count is None:
            return _without(none, "it has no count")
        if witness.lag_hours and count.number == 0:
            return _without(none, "it has not counted yet")
        at = count.at or (asked.now if not witness.lag_hours else None)
        age = (asked.now - count.at).total_seconds() / 3600 if count.at is not None else witness.lag_hours
        return Testimony(
            witness.who,
            count.number,
            utc_text(at.astimezone(UTC)) if at is not None else None,
            round(max(age, 0), 1),
            witness.exact,
            witness.more,
        )


def _without(testimony: Testimony, why: str) -> Testimony:
    return replace(testimony, why=shortened(" ".join(why.split()), _LONGEST_WHY))


def _of_whole_listing(state: PageState) -> Mapping[str, Any] | None:
    """Return the parameters of the whole listing, about which the first part asks, or None for the other parts."""
    target = state.target
    if target.part is None:
        return target.parameters
    way = split.way_of(state.crawl.service, state.crawl.operation)
    if target.part.number != 1 or way is None:
        return None
    return {name: value for name, value in target.parameters.items() if name not in (*way.refused, way.start, way.end)}
