"""What a person can do about a target that is not complete: one rule for each verdict and each error.

A resumption is advised only where it can help. Where it cannot, the rule says what to change for a new run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pageturner.crawls.crawl import ADHOC_PREFIX, Crawl
from pageturner.crawls.detail import Detail
from pageturner.crawls.from_items import from_items
from pageturner.crawls.iam_actions import iam_action
from pageturner.crawls.iam_resources import detail_parameters
from pageturner.denials import denial_in
from pageturner.finish.allowing import Allow, Allowing, allow_of, to_do
from pageturner.finish.in_words import Entry, code_of, is_of_a_role
from pageturner.messages import listed, shown
from pageturner.page_state import CONTINUES
from pageturner.paging import split
from pageturner.paging.answers import codes_in
from pageturner.verdicts import PAGES_MISSING

# How messages about details begin (turn/detail_calls.py).
_OF_A_DETAIL = re.compile(r"detail (?P<name>\w+): ")
# "Not subscribed", or credentials that a service does not know (AWS's Common Errors). Those of the functions are valid,
# so the service or the region is not enabled in the account.
_NOT_ENABLED_CODES = {
    "AuthFailure",
    "InvalidClientTokenId",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnrecognizedClientException",
}


@dataclass(frozen=True)
class Advice:
    """What to do, in a sentence; whether resuming the run helps then, and which keys of the crawl to change with it.

    The text names no target, because it is for all targets to which it applies. `allow` is what a policy is to allow.
    """

    text: str
    resume: bool = False
    changes: Mapping[str, Any] = field(default_factory=dict)
    allow: Allow | None = None


def advice(crawl: Crawl, entry: Entry) -> Advice:
    """Return what to do about a target, whose `entry` is the manifest's."""
    if (detail := _detail_of(crawl, entry)) is not None:
        return _about_detail(detail, entry)
    rule = BY_VERDICT.get(entry["verdict"]) or BY_ERROR.get(entry.get("error", ""), _interrupted)
    return rule(crawl, entry)


def statement_that_allows(crawl: Crawl, entries: Iterable[Entry]) -> dict[str, Any] | None:
    """Return the policy statement that allows what targets were denied; None if none would."""
    allowing = Allowing()
    for entry in entries:
        if allow := advice(crawl.of(entry.get("service", ""), entry.get("operation", "")), entry).allow:
            allowing.add(allow, entry)
    return allowing.statement


def _detail_of(crawl: Crawl, entry: Entry) -> Detail | None:
    """Return the detail whose calls the service refused."""
    found = _OF_A_DETAIL.match(entry.get("cause", "")) if entry["verdict"] in ("denied", "failed") else None
    return next((each for each in crawl.details if found and each.name == found["name"]), None)


def _about_detail(detail: Detail, entry: Entry) -> Advice:
    accepted = f"add {code_of(entry) or 'the code'} to the ignore_errors of the detail, and start a new run"
    if entry["verdict"] == "denied":
        denial, own = denial_in(entry["cause"]), iam_action(detail.service, detail.operation)
        text = to_do(denial, own, "deploy the catalogue as it is now; in another account, its reader stack")
        allow = allow_of(denial, detail.service, detail.operation, own, detail_parameters(detail), {})
        return Advice(f"{text}. Or {accepted}", resume=True, allow=allow)
    return Advice(
        f"Correct the parameters of the detail {detail.name}; or, if what it asks for may be missing, {accepted}"
    )


def _denied(crawl: Crawl, entry: Entry) -> Advice:
    allow, cause = None, entry.get("cause", "")
    if is_of_a_role(cause):  # another account's: the own one's denial is a `DeploymentDeniedError`
        text = (
            "Deploy the reader stack to the account: its role's trust policy has to allow sts:AssumeRole to this "
            "deployment's PlanRun and FetchPage, with its external id (docs/deploying.md). If the crawl names the "
            "account since the last deployment, deploy the catalogue as it is now, too"
        )
    elif code_of(entry) in _NOT_ENABLED_CODES:
        text = f"Enable the region and {crawl.service} in the account, or leave them out of the crawl"
    else:
        denial, own = denial_in(cause), iam_action(crawl.service, crawl.operation)
        text, hidden = to_do(denial, own, _deploying(crawl, entry)), from_items(crawl.service, crawl.operation, entry)
        allow = allow_of(denial, crawl.service, crawl.operation, own, entry["parameters"], hidden)
        if "operation" in entry:
            text += f"; or leave it out: except: [{crawl.service}:{crawl.operation}]"
    if crawl.since is None:
        text += ". Or set tolerate: [denied], in the crawl or when you resume"
    return Advice(text, resume=True, allow=allow)


def _deploying(crawl: Crawl, entry: Entry) -> str:
    elsewhere = "in another account, its reader stack"
    if "operation" in entry:  # one of several, which AWS's own policies may not have
        return f"set read_policies to a policy that has it, or make a crawl of its own for it, and deploy; {elsewhere}"
    if crawl.name.startswith(ADHOC_PREFIX):
        return f"add the crawl to the catalogue, or a policy to read_policies, and deploy; {elsewhere}"
    return (
        f"deploy the catalogue as it is now; {elsewhere}; or change the resource's policy, its key's policy or the "
        f"organization's, if one of them denies it; if the crawl has another operation since, start a new run"
    )


def _not_found(crawl: Crawl, entry: Entry) -> Advice:
    names = listed(entry["parameters"])
    if entry["pages"]:
        text = "It was deleted while the run listed it: start a new run"
    elif crawl.source:
        text = f"It is gone since {crawl.source} listed it: run {crawl.source} again, and start a new run"
    elif entry["parameters"]:
        text = f"Nothing there has this name: check {names} in the crawl, and the account and region; start a new run"
    else:
        text = f"Check that {crawl.service} is set up in this account and region, and start a new run"
    accepted = code_of(entry) or "NotFoundError"
    if crawl.since is None:
        text += f". If it may be missing, set ignore_errors: [{accepted}], in the crawl or when you resume"
    return Advice(text)


def _invalid_request(_: Crawl, entry: Entry) -> Advice:
    if "the StartingToken" in entry.get("cause", ""):
        return Advice("Take another StartingToken, or none, and start a new run")
    if entry["pages"]:
        return Advice(
            "The pages before were accepted, so resuming lists this target anew, without the token", resume=True
        )
    return Advice("Change the parameters of the crawl to what the service accepts, and start a new run")


def _invalid_crawl(_: Crawl, entry: Entry) -> Advice:
    key = entry.get("cause", "").partition(":")[0]
    what = key if key in ("key", "search") else "the crawl"
    return Advice(f"Change {what} so that it can be evaluated for every item, and start a new run")


def _endless(crawl: Crawl, _: Entry) -> Advice:
    return Advice(f"If the listing does end, raise max_pages above {crawl.max_pages:,} and start a new run")


def _repeated_token(crawl: Crawl, _: Entry) -> Advice:
    return Advice(
        f"Resuming lists this target anew. If a token repeats again, {crawl.service} cannot list this to its end, for "
        f"anyone: report it to AWS",
        resume=True,
    )


def _truncated(crawl: Crawl, _: Entry) -> Advice:
    return Advice(
        f"Resuming lists this target anew. If {crawl.service} cuts the listing off again, list less with each target "
        f"(parameters, for_each), and start a new run",
        resume=True,
    )


def _page_errors(crawl: Crawl, entry: Entry) -> Advice:
    codes = sorted({code for error in entry.get("errors_in_pages", []) for code in codes_in(error)})
    accepted = f": {shown(codes[:5])}" if codes else ""
    text = "Mend what the errors name (errors_in_pages in the manifest), and resume, which lists this target anew"
    if crawl.since is None:
        text += f". If the listing is whole enough without that, add the codes to ignore_errors{accepted}"
    return Advice(text, resume=True)


def _mistrusted(_: Crawl, __: Entry) -> Advice:
    return Advice(
        'If so much is really gone, resume the run with "mistrust": "off", which trusts the listing and lists nothing '
        "again. If not, start a new run",
        resume=True,
        changes={"mistrust": "off"},
    )


def _still_running(crawl: Crawl, _: Entry) -> Advice:
    return Advice(
        f"Wait until what {crawl.operation} lists is there, with a later deadline",
        resume=True,
        changes={"deadline_hours": min(2 * crawl.deadline_hours, 8760)},
    )


def _too_many_restarts(crawl: Crawl, _: Entry) -> Advice:
    faster = ["a larger PageSize"]
    if crawl.max_pages_per_second:
        faster.append("a higher max_pages_per_second")
    if crawl.split is None and crawl.since is None and split.way_of(crawl.service, crawl.operation):
        faster.append("split")
    return Advice(
        f"Resuming lists this target anew. If its tokens do not last until the listing ends, start a new run with "
        f"{' or '.join(faster)}",
        resume=True,
    )


def _late(crawl: Crawl, entry: Entry) -> Advice:
    changes: dict[str, Any] = {"deadline_hours": min(2 * crawl.deadline_hours, 8760)}
    if not entry["throttles"]:
        return Advice("Give it more time", resume=True, changes=changes)
    # The bounds are the schema's.
    changes["max_pages_per_second"] = max(round((crawl.max_pages_per_second or 2) / 2, 3), 0.05)
    text = "Give it more time and a slower pace; if its targets share a quota, a lower max_concurrency too"
    return Advice(text, resume=True, changes=changes)


def _sink(_: Crawl, __: Entry) -> Advice:
    return Advice(
        "Check the permissions, the key and the quotas of the bucket or table that the error names", resume=True
    )


def _deployment_denied(_: Crawl, __: Entry) -> Advice:
    return Advice(
        "Deploy the stack again, which restores its own permissions; or change what denies it: a policy of the "
        "organization, a permissions boundary, the bucket's policy or the key's. The crawl itself is as it was",
        resume=True,
    )


def _unavailable(crawl: Crawl, _: Entry) -> Advice:
    return Advice(f"Wait until {crawl.service} answers again", resume=True)


def _interrupted(_: Crawl, entry: Entry) -> Advice:
    if not entry.get("error"):
        return Advice("Nothing has to change", resume=True)
    return Advice(
        "The logs of FetchPage and PageLoop have the reason. If FetchPage ran out of memory or time, its pages are too "
        "large: start a new run with a smaller PageSize",
        resume=True,
    )


def _pages_missing(_: Crawl, __: Entry) -> Advice:
    return Advice("Resuming lists this target anew", resume=True)


def _continues(_: Crawl, __: Entry) -> Advice:
    return Advice("There is nothing to do")


def _absent(crawl: Crawl, entry: Entry) -> Advice:
    if "hidden or down" in entry.get("cause", ""):
        return Advice(f"Wait until the name of {crawl.service} in the region is there again", resume=True)
    return Advice(f"{crawl.service} is not in the region: leave it out of the crawl")


_Rule = Callable[[Crawl, Entry], Advice]
# The verdicts that say enough by themselves; the other verdicts have an error, or were cut short without one.
BY_VERDICT: Mapping[str, _Rule] = {"endless": _endless}
BY_ERROR: Mapping[str, _Rule] = {
    "AccessDeniedError": _denied,
    "DeadlinePassedError": _late,
    "DeploymentDeniedError": _deployment_denied,
    "InvalidCrawlError": _invalid_crawl,
    "InvalidRequestError": _invalid_request,
    "MistrustedListingError": _mistrusted,
    "NoEndpointError": _absent,
    "NotFoundError": _not_found,
    "PageErrorsError": _page_errors,
    "RepeatedTokenError": _repeated_token,
    "RunStoppedError": _interrupted,
    "SinkError": _sink,
    "StillRunningError": _still_running,
    "ThrottledError": _unavailable,
    "UnexpectedError": _interrupted,
    "TooManyRestartsError": _too_many_restarts,
    "TransientError": _unavailable,
    "TruncatedListingError": _truncated,
    CONTINUES: _continues,
    "Interrupted": _interrupted,
    PAGES_MISSING: _pages_missing,
}
