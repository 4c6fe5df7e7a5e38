"""The summary of a run: its verdict, as a word and as a sentence, and its totals."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pageturner.costs import LOOP_SECONDS, Turned
from pageturner.crawls.crawl import Crawl
from pageturner.errors import DeploymentDeniedError, SinkError
from pageturner.finish.advice import Advice, advice
from pageturner.finish.allowing import Allow, Allowing
from pageturner.finish.in_words import code_of, is_of_a_role, named, why
from pageturner.finish.witness import LAST_RUN, WitnessTally
from pageturner.messages import count_of
from pageturner.page_state import CONTINUES, Run, utc_text
from pageturner.paging import api
from pageturner.stores.keys import manifest_key
from pageturner.verdicts import ENDED

# What is added up over all targets.
SUMMED = (
    "pages",
    "items",
    "bytes",
    "milliseconds",
    "restarts",
    "page_errors",
    "ignored_errors",
    "throttles",
)

# At most so many reasons, and targets of each, are in the sentence of a run; the manifest has all.
_REASONS_SHOWN = 5
_TARGETS_SHOWN = 3
_OWN_ERRORS = (SinkError.__name__, DeploymentDeniedError.__name__)


@dataclass
class Reason:
    """Why targets are not as the crawl asks, and what to do about all of them; `why` is that of the first one."""

    why: str
    advice: Advice
    targets: int = 0
    allowing: Allowing = field(default_factory=Allowing)
    names: list[str] = field(default_factory=list)

    def add(self, crawl: Crawl, entry: Mapping[str, Any], allow: Allow | None) -> None:
        """Add a target, and what a policy is to allow for it."""
        self.targets += 1
        if allow is not None:
            self.allowing.add(allow, entry)
        if len(self.names) < _TARGETS_SHOWN:
            self.names.append(named(entry, crawl))

    @property
    def of(self) -> str:
        """The names of the first targets, and how many more there are."""
        more = self.targets - len(self.names)
        return "; ".join(self.names) + (f"; and {more:,} more" if more else "")


@dataclass
class Tally:
    """Adds up the entries of a run's targets, one by one.

    `region` is the deployment's own. `absent` counts the targets in regions where nobody expects the service, unless
    that is all of them: a service that is nowhere can be one whose names are hidden. `short` counts the targets that
    are not as the crawl asks, for `reasons`. `turned` adds up what their pages took, with PageLoops of `loop_seconds`.
    """

    crawl: Crawl
    region: str
    loop_seconds: float = LOOP_SECONDS
    verdicts: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)
    absent: int = 0
    short: int = 0
    reasons: dict[tuple[str, ...], Reason] = field(default_factory=dict)
    elsewhere: dict[tuple[str, ...], Reason] = field(default_factory=dict)
    continues: bool = False
    witnesses: WitnessTally = field(default_factory=WitnessTally)
    turned: Turned = field(default_factory=Turned)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add an entry."""
        crawl = self.crawl.of(entry.get("service", ""), entry.get("operation", ""))
        self.verdicts[entry["verdict"]] += 1
        self.totals.update({name: entry[name] for name in SUMMED})
        self.witnesses.add(entry, named(entry, crawl))
        self.turned.add(entry, self.crawl, self.loop_seconds)
        # Nobody is asked what the last run had.
        witness = entry.get("witness")
        self.turned.witnesses += witness is not None and (witness["who"] != LAST_RUN or "why" in witness)
        self.continues = self.continues or entry.get("error") == CONTINUES
        if is_elsewhere(crawl, entry, self.region):
            self.absent += 1
            if not is_as_wanted(crawl, entry):
                _explain(crawl, entry, self.elsewhere)
        elif not is_as_wanted(crawl, entry):
            self.short += 1
            _explain(crawl, entry, self.reasons)

    def close(self) -> None:
        """Decide about the absent targets, when all entries are added."""
        if self.absent == self.verdicts.total():
            short = sum(reason.targets for reason in self.elsewhere.values())
            self.absent, self.short, self.reasons = 0, short, self.elsewhere


def _explain(crawl: Crawl, entry: Mapping[str, Any], reasons: dict[tuple[str, ...], Reason]) -> None:
    to_do = advice(crawl, entry)
    alike = entry["verdict"], entry.get("error", ""), code_of(entry), to_do.text
    if alike not in reasons:
        reasons[alike] = Reason(why(crawl, entry), to_do)
    reasons[alike].add(crawl, entry, to_do.allow)


def summary(run: Run, tally: Tally, ended: datetime) -> dict[str, Any]:
    """Return the output of the run: its verdict, with a sentence for people, and its totals.

    `outcome` is "succeeded" if every target ended as the crawl asks or tolerates, "continues" if the run continues in
    another execution, and "failed" otherwise.
    """
    tally.close()
    verdict, verdicts = "complete", _verdicts(tally)
    if verdicts - {"complete"}:
        verdict = "limited" if verdicts <= set(ENDED) else "incomplete"
    return {
        "run_id": run.run_id,
        "generation": run.generation,
        "crawl": tally.crawl.name,
        # The input of the execution in which the run continues.
        "continuation": {"resume": run.run_id},
        "outcome": "continues" if tally.continues else "failed" if tally.short else "succeeded",
        "verdict": verdict,
        "message": _sentence(run, tally),
        "targets": dict(tally.verdicts),
        "witnesses": tally.witnesses.as_dict(),
        **{name: tally.totals[name] for name in SUMMED if name != "milliseconds"},
        "ended_at": utc_text(ended),
        "seconds": round((ended - datetime.fromisoformat(run.started_at)).total_seconds(), 3),
    }


def _verdicts(tally: Tally) -> set[str]:
    """The verdicts of the targets that are in regions where the service exists."""
    return set(tally.verdicts - Counter(absent=tally.absent))


def is_elsewhere(crawl: Crawl, target: Mapping[str, Any], own_region: str) -> bool:
    """Whether a region that was looked up has this target, and botocore does not know the service there either.

    An absent endpoint where the service is known can be an outage of its name, so it is never as wanted by itself. Nor
    is one in the deployment's own region, unless botocore knows no region at all for the service.
    """
    region = target["region"]
    if target["verdict"] != "absent" or not crawl.looks_up_region(region):
        return False
    known = api.regions_of(crawl.service, api.partition_of(region))
    return region not in known and (region != own_region or not known)


def is_as_wanted(crawl: Crawl, target: Mapping[str, Any]) -> bool:
    """Return whether a target ended as the crawl asks or tolerates: its `verdict`, and its `error` and `cause`."""
    verdict = target["verdict"]
    # Only pagination_config limits a listing, so a limited one is as requested.
    if verdict in ENDED or verdict in crawl.tolerate:
        return True
    if target.get("error") in crawl.ignore_errors:
        return True
    cause = str(target.get("cause", ""))
    # The codes are those of the operation: the own bucket may answer with the same, and so may who is asked for a role.
    is_own = target.get("error") in _OWN_ERRORS or is_of_a_role(cause)
    return not is_own and any(f"({code})" in cause for code in crawl.ignore_errors)


def headline(tally: Tally) -> str:
    """The first sentence of a run, without the reasons, and without its full stop."""
    targets = count_of(tally.verdicts.total(), "target")
    written = f"{count_of(tally.totals['items'], 'item')} on {count_of(tally.totals['pages'], 'page')} of {targets}"
    note = f"; {tally.absent:,} of them absent: the service has no endpoint there" if tally.absent else ""
    witnesses = f"; {said}" if (said := tally.witnesses.sentence()) else ""
    by_verdict = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(tally.verdicts.items()))
    if tally.short:
        return f"{tally.short:,} of {targets} not complete ({by_verdict})"
    if _verdicts(tally) <= {"complete"}:
        return f"complete: {written}{note}{witnesses}"
    return f"as requested ({by_verdict}): {written}{note}{witnesses}"


def _sentence(run: Run, tally: Tally) -> str:
    if not tally.short:
        return headline(tally)
    shown = list(tally.reasons.items())[:_REASONS_SHOWN]
    more = len(tally.reasons) - len(shown)
    return " ".join(
        [
            f"{headline(tally)}.",
            *(_reason(verdict, reason) for (verdict, *_), reason in shown),
            *([f"And {count_of(more, 'more reason')}."] if more else []),
            *([f"A witness disagrees: {disagrees}."] if (disagrees := tally.witnesses.unexplained) else []),
            f"All targets are in {manifest_key(run)}.",
            _how_to_resume(run, tally),
        ]
    )


def _reason(verdict: str, reason: Reason) -> str:
    return f"{reason.targets:,} {verdict}: {reason.of}: {reason.why}. {reason.advice.text}.{reason.allowing.sentence}"


def changes_to_resume(reasons: Iterable[Reason]) -> tuple[list[Reason], dict[str, Any]]:
    """Return the reasons for which resuming the run helps, and which keys of the crawl change then."""
    helped = [reason for reason in reasons if reason.advice.resume]
    # Nobody trusts a listing by resuming the run for the sake of other targets.
    helped = [reason for reason in helped if "mistrust" not in reason.advice.changes] or helped
    return helped, {key: value for reason in helped for key, value in reason.advice.changes.items()}


def resuming(tally: Tally) -> str:
    """Whether to resume a run that is not complete: the beginning of its last sentence."""
    if tally.continues:
        return "The run continues by itself, in another execution"
    helped, _ = changes_to_resume(tally.reasons.values())
    if not helped:
        return "Resuming the run as it is does not help"
    targets = sum(reason.targets for reason in helped)
    only = "" if targets == tally.short else f", which can complete {targets:,} of them"
    return f"Then resume the run{only}"


def _how_to_resume(run: Run, tally: Tally) -> str:
    helped, changes = changes_to_resume(tally.reasons.values())
    if tally.continues or not helped:
        return resuming(tally)
    again = json.dumps({"resume": run.run_id, **changes})
    # A redriven execution would judge as before.
    how = "start a new execution" if "mistrust" in changes else "redrive its execution, or start a new one"
    return f"{resuming(tally)}: {how} with the input {again}"
