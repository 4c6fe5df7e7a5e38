"""The statements of a policy that allow crawls to read what their parameters name, and nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jmespath

from pageturner.crawls.bindings import literal_bindings
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.detail import Detail
from pageturner.crawls.iam_actions import iam_action
from pageturner.crawls.operations import plain_crawls
from pageturner.crawls.resources import UNKNOWN, Resource, resources_of
from pageturner.crawls.witnessing import witness_of_listing
from pageturner.paging.witnesses import Asked

# More resources of a kind than these are granted as all of the kind, so that policies stay small.
MOST_RESOURCES = 50
_EVERYTHING = Resource("*", "*")
# Not the asterisk of ``${*}``, which means itself.
_WILDCARD = re.compile(r"(?<!\$\{)\*")
# The time is in no resource.
_SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Statement:
    """Allows `actions` on `resources`: ARNs, in which IAM's wildcards and variables count, or ``*``."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    @property
    def size(self) -> int:
        """About how many characters it takes in a policy, as IAM counts them: without white space."""
        return 55 + sum(len(text) + 3 for text in (*self.actions, *self.resources))


def merged_statement(
    actions: Iterable[str], resources: Iterable[Resource], values: Mapping[str, str], *, most_resources: int
) -> Statement:
    """Return the statement that allows actions on resources, with the values of ``Partition`` and so on in their ARNs.

    More than `most_resources` of a kind are all of the kind.
    """
    filled = {Resource(_with(each.arn, values), _with(each.kind, values)) for each in resources}
    return Statement(tuple(sorted(set(actions))), _fewest(filled, most_resources))


def read_statements(crawls: Iterable[Crawl], *, most_resources: int = MOST_RESOURCES) -> list[Statement]:
    """Return the statements that crawls, their details and witnesses need, in each account that they read.

    ``${Partition}``, ``${Region}`` and ``${Account}`` are the caller's to replace, by those that are read. The ARNs
    of a crawl that says its regions have these. More than `most_resources` of a kind are granted as all of the kind.
    """
    needs: dict[str, set[Resource]] = defaultdict(set)
    for crawl in crawls:
        for plain in plain_crawls(crawl):
            for action, resources in _needs(plain):
                needs[action] |= resources
    merged: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for action, resources in needs.items():
        merged[_fewest(resources, most_resources)].append(action)
    return sorted(Statement(tuple(sorted(actions)), resources) for resources, actions in merged.items())


def _needs(crawl: Crawl) -> Iterator[tuple[str, set[Resource]]]:
    regions = _regions(crawl)
    for parameters in _targets(crawl):
        yield _need(crawl.service, crawl.operation, parameters, regions)
        for detail in crawl.details:
            yield _need(detail.service, detail.operation, detail_parameters(detail), regions)
        if (witness := witness_of_listing(crawl, parameters)) is not None:
            question = witness.question(Asked(parameters, "${Account}", "${Region}", _SOME_TIME))
            yield _need(witness.service, witness.operation, question, regions)
    if crawl.asks_for_regions:
        yield "ec2:DescribeRegions", {_EVERYTHING}


def detail_parameters(detail: Detail) -> dict[str, Any]:
    """Return the parameters of a detail's calls, as far as they are known before there is an item."""
    batch = {} if detail.batch is None else {detail.batch: UNKNOWN}
    return {name: _constant(text) for name, text in detail.parameters.items()} | batch


def _need(
    service: str, operation: str, parameters: Mapping[str, Any], regions: Iterable[str]
) -> tuple[str, set[Resource]]:
    found = resources_of(service, operation, parameters) or {_EVERYTHING}
    return iam_action(service, operation), {
        Resource(_with(each.arn, {"Region": region}), _with(each.kind, {"Region": region}))
        for each in found
        for region in regions
    }


def _targets(crawl: Crawl) -> Iterator[Mapping[str, Any]]:
    """Yield the parameters of a crawl's targets, as far as they are known."""
    if crawl.for_each is None:
        yield crawl.parameters
    elif crawl.source is None:
        yield from ({**crawl.parameters, **bound} for bound in literal_bindings(crawl.for_each))
    else:
        bound = crawl.for_each.get("parameters", {})
        yield {**crawl.parameters, **{name: _constant(text) for name, text in bound.items()}}


def _constant(expression: str) -> Any:
    """The value of an expression that is a literal; of others, only an item tells."""
    parsed: Any = jmespath.compile(expression).parsed
    return parsed["value"] if parsed["type"] == "literal" else UNKNOWN


def _regions(crawl: Crawl) -> tuple[str, ...]:
    choice = crawl.region_choice
    if choice.patterns or (crawl.source is not None and not choice.named):
        return ("*",)
    return choice.named or ("${Region}",)


def _fewest(resources: Iterable[Resource], most: int) -> tuple[str, ...]:
    """Return the ARNs of resources, or their kinds where there are too many, without what another one covers."""
    by_kind: dict[str, set[str]] = defaultdict(set)
    for each in resources:
        by_kind[each.kind].add(each.arn)
    arns = {arn for kind, own in by_kind.items() for arn in ({kind} if len(own) > most else own)}
    patterns = {arn: pattern for arn in arns if (pattern := _pattern(arn)) is not None}
    covered = {arn for arn in arns for wide, pattern in patterns.items() if arn != wide and pattern.fullmatch(arn)}
    return tuple(sorted(arns - covered))


def _pattern(arn: str) -> re.Pattern[str] | None:
    """What an ARN with wildcards matches; None if it has none."""
    parts = _WILDCARD.split(arn)
    return re.compile(".*".join(map(re.escape, parts)), re.DOTALL) if len(parts) > 1 else None


def _with(arn: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        arn = arn.replace(f"${{{name}}}", value)
    return arn
