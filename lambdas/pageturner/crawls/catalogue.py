"""Parses the catalogue and an execution's input into crawls.

CDK synth parses the whole catalogue, and PlanRun the execution input. Every message names the place, the value and the
fix.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeGuard

from pageturner.crawls.bounds import RUN_ID, wrong_document
from pageturner.crawls.checks import against_schema, problems
from pageturner.crawls.crawl import ADHOC_PREFIX, SCHEDULE_KEYS, Crawl
from pageturner.crawls.for_each_checks import wrong_for_each
from pageturner.crawls.pagination_config import without_nulls
from pageturner.crawls.redact_checks import with_redact
from pageturner.crawls.starts import wrong_after
from pageturner.crawls.table_checks import same_tables, same_tables_of_operations
from pageturner.errors import InvalidCrawlError
from pageturner.messages import in_lines, listed, nearest, shortened, shown
from pageturner.paging.paginators import STATED
from pageturner.table_names import table_name

# The name is part of S3 keys, of DynamoDB keys and of the schedule's name (64 characters).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")
# The keys that decide what counts as an item, and what identifies it.
_ITEM_KEYS = {"search", "key", *STATED}
_LONGEST_TRIGGER = 256
_KEYS = tuple(f.name.rstrip("_") for f in fields(Crawl) if f.name != "name")
# The keys that can change when a run is resumed: how long and how fast, what may be missing at the end, and what to
# mistrust. A run with other `tolerate` or `ignore_errors` than the catalogue's crawl is no source for `for_each`, as
# any other such run.
_RESUME_PACE_KEYS = ("max_pages_per_second", "pace", "max_concurrency")
RESUME_KEYS = ("deadline_hours", *_RESUME_PACE_KEYS, "tolerate", "ignore_errors", "mistrust")
# Why the others cannot.
_FIXED_LISTING = "it decides what is listed, and a part of that is listed already; start a new run"
_FIXED = {
    "crawl": "the run has its crawl",
    "dry_run": "a dry run has nothing to resume",
    "trigger": "it starts a run, and this one has begun",
    "max_pages": "a listing that has reached it has ended; start a new run",
    **dict.fromkeys(SCHEDULE_KEYS, "only the catalogue says when a crawl runs"),
    **dict.fromkeys(
        ("overlap", "stale_items", "time_to_live", "allow_empty", "ignore_fields", "sinks"),
        "it is for the run as a whole; start a new run",
    ),
}


def parse_catalogue(document: object) -> dict[str, Crawl]:
    """Return the crawls of a catalogue (the parsed YAML or JSON of ``crawls.yaml``) by name.

    Raises `InvalidCrawlError` with one line for each problem.
    """
    if document == {"crawls": None}:
        raise InvalidCrawlError("crawls: is empty; a catalogue without crawls is crawls: {}")
    if not isinstance(document, Mapping) or set(document) != {"crawls"} or not isinstance(document["crawls"], Mapping):
        raise InvalidCrawlError(
            'the catalogue must have exactly one top-level key, "crawls", which maps names to crawls'
        )
    crawls: dict[str, Crawl] = {}
    wrong: list[str] = []
    for name, entry in document["crawls"].items():
        try:
            crawls[str(name)] = _parse_crawl(name, entry, f"crawls.{shortened(str(name), 100)}")
        except InvalidCrawlError as error:
            wrong.append(str(error))
    wrong += same_tables(map(str, document["crawls"]))
    if not wrong:
        wrong = [line for name, crawl in crawls.items() for line in _check_chain(crawl, crawls, f"crawls.{name}")]
        wrong += wrong_after(crawls)
        wrong += same_tables_of_operations(crawls)
    if wrong:
        raise InvalidCrawlError(in_lines(wrong))
    return crawls


def check_input(document: object) -> None:
    """Refuse an execution's input that is too deep, or holds what is no JSON. Raises `InvalidCrawlError`.

    What is behind it need not expect such.
    """
    if wrong := wrong_document(document, "input"):
        raise InvalidCrawlError(wrong)


@dataclass(frozen=True)
class Resume:
    """Which run to resume, and which keys of its crawl change from now on."""

    run_id: str
    changes: Mapping[str, Any]


def parse_resume(document: object) -> Resume | None:
    """Return what an input like ``{"resume": "<run_id>", "deadline_hours": 6}`` asks for, or None for any other input.

    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping) or "resume" not in document:
        return None
    changes = {str(key): value for key, value in document.items() if key != "resume"}
    run_id = document["resume"]
    if not _is_run_id(run_id):
        raise InvalidCrawlError(
            f'input.resume: invalid value {shown(run_id)}; must be a run_id, like {{"resume": "<run_id>"}}'
        )
    _refuse_unknown_keys(changes, ["crawl", "dry_run", "trigger", *_KEYS], "input", ["resume"])
    wrong = []
    for key, value in changes.items():
        if key not in RESUME_KEYS:
            reason = _FIXED.get(key, _FIXED_LISTING)
            can = f"(what can change: {listed(RESUME_KEYS)})"
            wrong.append(f"input.{key}: cannot change when a run is resumed: {reason} {can}")
        elif found := against_schema(key, value):
            wrong.append(f"input.{key}{found}")
    if wrong:
        raise InvalidCrawlError(in_lines(wrong))
    return Resume(run_id, changes)


def parse_publish(document: object) -> str | None:
    """Return the run_id that an input like ``{"publish": "<run_id>"}`` asks to publish; None for any other input.

    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping) or "publish" not in document:
        return None
    run_id = document["publish"]
    if not _is_run_id(run_id):
        raise InvalidCrawlError(
            f'input.publish: invalid value {shown(run_id)}; must be a run_id, like {{"publish": "<run_id>"}}'
        )
    _refuse_unknown_keys({key: value for key, value in document.items() if key != "publish"}, [], "input", ["publish"])
    return run_id


def parse_changes(document: object) -> tuple[str, str] | None:
    """Return the earlier and the later run that an input like ``{"changes": ["<run_id>", "<run_id>"]}`` compares.

    None for any other input. Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping) or "changes" not in document:
        return None
    match document["changes"]:
        case [earlier, later] if _is_run_id(earlier) and _is_run_id(later) and earlier != later:
            rest = {key: value for key, value in document.items() if key != "changes"}
            _refuse_unknown_keys(rest, [], "input", ["changes"])
            return earlier, later
    raise InvalidCrawlError(
        f"input.changes: invalid value {shown(document['changes'])}; must be the run_ids of two runs, the earlier one "
        'first, like {"changes": ["<run_id>", "<run_id>"]}'
    )


def _is_run_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and RUN_ID.fullmatch(value) is not None


def parse_dry_run(document: object) -> tuple[bool, object]:
    """Return whether an input asks for a dry run, and the input without `dry_run`. Raises `InvalidCrawlError`."""
    if not isinstance(document, Mapping) or "dry_run" not in document:
        return False, document
    if not isinstance(document["dry_run"], bool):
        raise InvalidCrawlError(f"input.dry_run: invalid value {shown(document['dry_run'])}; must be true or false")
    return document["dry_run"], {key: value for key, value in document.items() if key != "dry_run"}


def parse_trigger(document: object) -> tuple[str, object]:
    """Return the trigger that an input names ("" if it names none), and the input without it.

    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping) or "trigger" not in document:
        return "", document
    trigger = document["trigger"]
    if not isinstance(trigger, str) or not 1 <= len(trigger) <= _LONGEST_TRIGGER:
        raise InvalidCrawlError(
            f"input.trigger: invalid value {shown(trigger)}; must be text of 1 to {_LONGEST_TRIGGER} characters that "
            "names the occasion, which starts one run, however often it is delivered"
        )
    return trigger, {key: value for key, value in document.items() if key != "trigger"}


def parse_input(document: object, catalogue: Mapping[str, Crawl]) -> Crawl:
    """Return the crawl that an execution's input asks for.

    ``{"crawl": name}`` takes it from the catalogue; ``{"service": …, "operation": …}`` needs no catalogue. The input
    can set other keys of a crawl too; its `parameters`, `pagination_config`, `since` and `redact` are merged with those
    of the catalogue. Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping):
        raise InvalidCrawlError(f'the input is {shown(document)}; it must be a JSON object like {{"crawl": "a-name"}}')
    asked = {str(key): value for key, value in document.items()}
    name = asked.pop("crawl", None)
    allowed = [key for key in _KEYS if key not in SCHEDULE_KEYS]
    entry: dict[str, Any] = {}
    if name is None:
        if not {"service", "operation", "operations"} & asked.keys():
            raise InvalidCrawlError(
                f'the input {shown(document)} names no crawl; use {{"crawl": "a-name"}} with a name from the catalogue '
                f'(available: {listed(catalogue)}), or {{"service": "…", "operation": "…"}}'
            )
        name = ADHOC_PREFIX + adhoc_name(asked)
    elif not isinstance(name, str) or name not in catalogue:
        raise InvalidCrawlError(f"input.crawl: {shown(name)} is not in the catalogue{nearest(name, catalogue)}")
    else:
        entry = {key: value for key, value in catalogue[name].as_dict().items() if key != "name"}
    if scheduled := [key for key in asked if key in SCHEDULE_KEYS]:
        raise InvalidCrawlError(
            in_lines(f"input.{key}: only the catalogue says when a crawl runs; remove it" for key in scheduled)
        )
    _refuse_unknown_keys(asked, allowed, "input", ["crawl", "dry_run", "resume", "trigger"])
    asked = with_redact(asked, catalogue.get(name))
    for key, value in asked.items():
        merged = key in ("parameters", "pagination_config", "since") and isinstance(value, Mapping)
        entry[key] = {**entry.get(key, {}), **value} if merged else value
    since = catalogue[name].since if name in catalogue else None
    if since is not None and entry["since"] is None and since["parameter"] not in entry.get("parameters", {}):
        raise InvalidCrawlError(
            "input.since: without it, one listing would replace all that was listed so far; "
            f"set {since['parameter']} in parameters, which makes it a listing of its own"
        )
    if name in catalogue and asked.keys() & _ITEM_KEYS and "stale_items" not in asked:
        # A run with different items must not make those of the catalogue's crawl stale.
        entry["stale_items"] = "keep"
    if entry.get("stale_items") != "mark" and "time_to_live" not in asked:
        entry.pop("time_to_live", None)  # of the catalogue's crawl, which marks
    crawl = _parse_crawl(name, entry, "input")
    if wrong := _check_chain(crawl, {**catalogue, name: crawl}, "input"):
        raise InvalidCrawlError(in_lines(wrong))
    return crawl


def adhoc_name(asked: Mapping[str, Any]) -> str:
    """Return the name of what an input asks for without naming a crawl of the catalogue, behind `ADHOC_PREFIX`."""
    if "operations" not in asked:
        return f"{asked.get('service')}-{asked.get('operation')}"
    # Those of other operations are another crawl.
    text = json.dumps([asked["operations"], asked.get("except")])
    return f"operations-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _parse_crawl(name: object, entry: object, place: str) -> Crawl:
    if not isinstance(name, str) or not (_NAME.fullmatch(name) or name.startswith(ADHOC_PREFIX)):
        raise InvalidCrawlError(
            f"{place}: invalid name {shown(name)}; must be 1 to 48 letters, digits, hyphens and underscores, "
            "starting with a letter or digit"
        )
    if place != "input" and table_name(name).startswith(table_name(ADHOC_PREFIX)):
        raise InvalidCrawlError(
            f'{place}: names that begin with "{ADHOC_PREFIX}" or "{table_name(ADHOC_PREFIX)}" are reserved for crawls '
            "from the console"
        )
    if not isinstance(entry, Mapping):
        raise InvalidCrawlError(
            f'{place}: invalid value {shown(entry)}; must be an object with at least "service" and "operation"'
        )
    if outside := wrong_document(entry, place):
        raise InvalidCrawlError(outside)
    _refuse_unknown_keys(entry, _KEYS, place)
    entry = without_nulls(entry)
    if wrong := in_lines(problems(entry, place)):
        raise InvalidCrawlError(wrong)
    return Crawl.from_dict({"name": name, **entry})


def _refuse_unknown_keys(entry: Mapping[Any, Any], known: Iterable[str], place: str, more: Iterable[str] = ()) -> None:
    names = [*more, *known]
    if unknown := [key for key in entry if key not in names]:
        lines = (f"{place}.{shortened(str(key), 100)}: unknown key{nearest(key, names)}" for key in unknown)
        raise InvalidCrawlError(in_lines(lines))


def _check_chain(crawl: Crawl, catalogue: Mapping[str, Crawl], place: str) -> list[str]:
    """Check that the chain of `for_each.crawl` references stays in the catalogue and ends, and what it refers to."""
    chain = [crawl.name]
    source = crawl.source
    while source is not None:
        if source not in catalogue:
            of = "" if len(chain) == 1 else f" (named in {chain[-1]})"
            return [f"{place}.for_each.crawl: {shown(source)}{of} is not in the catalogue{nearest(source, catalogue)}"]
        if catalogue[source].operations:
            return [f"{place}.for_each.crawl: the items of {source} are of several operations; name a crawl of one"]
        if source in chain:
            return [f"{place}.for_each.crawl: circular reference: {' → '.join([*chain, source])}"]
        chain.append(source)
        source = catalogue[source].source
    if crawl.source is None:
        return []
    return [f"{place}.for_each.{line}" for line in wrong_for_each(crawl, catalogue[crawl.source])]
