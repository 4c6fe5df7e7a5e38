"""A crawl, what can be said in one, and what is wrong with one that is not right.

Used when the app is synthesized, for the whole catalogue, and when a run is planned, for the execution input. Every
message names the place, the value and what would be right.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, cast

import jmespath
from botocore import xform_name
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from jmespath.exceptions import JMESPathError

from pageturner import api, pagination
from pageturner.errors import InvalidCrawlError
from pageturner.paginators import NEEDED, NEVER_ENDING, STATED, Paginator, paginator_of

# Part of S3 keys, of DynamoDB keys and of the schedule's name (64 characters).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}")
_RATE = re.compile(r"rate\([1-9]\d* (minutes?|hours?|days?)\)")
_CRON = re.compile(r"cron\(\S+( \S+){5}\)")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")

# Crawls that are typed into the console get a name of their own, so that they never mix with the catalogue's.
ADHOC_PREFIX = "adhoc-"
SINKS = ("dynamodb",)
OVERLAPS = ("refuse", "allow")
STALE_ITEMS = ("remove", "mark", "keep")
VERDICTS = ("complete", "limited", "denied", "failed", "unfinished", "endless")
PAGINATION_CONFIG_KEYS = ("MaxItems", "PageSize", "StartingToken")
# When a crawl runs is for the catalogue to say; all else can be said anew for one run.
SCHEDULE_KEYS = ("schedule", "timezone", "enabled")


@dataclass(frozen=True)
class Crawl:
    """What to page, where, when and where to. The fields are the keys of a catalogue entry; `name` is the entry's own.

    Only `service` and `operation` have no default.
    """

    name: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pagination_config: Mapping[str, Any] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    search: str | None = None
    key: str | None = None
    input_token: str | tuple[str, ...] | None = None
    output_token: str | tuple[str, ...] | None = None
    result_key: str | tuple[str, ...] | None = None
    limit_key: str | None = None
    more_results: str | None = None
    max_pages: int = 10_000_000
    max_pages_per_second: float | None = None
    max_concurrency: int = 10
    deadline_hours: float = 24
    overlap: str = "refuse"
    tolerate: tuple[str, ...] = ()
    ignore_errors: tuple[str, ...] = ()
    stale_items: str = "remove"
    allow_empty: bool = False
    sinks: tuple[str, ...] = SINKS
    schedule: str | None = None
    timezone: str = "UTC"
    enabled: bool = True

    @property
    def paginator(self) -> Paginator:
        """What pages the operation; what the crawl states goes first."""
        stated = {name: value for name in STATED if (value := getattr(self, name)) is not None}
        return paginator_of(self.service, self.operation, _as_lists(stated))

    def as_dict(self) -> dict[str, Any]:
        """The crawl as JSON: a catalogue entry with its name, without the keys that have their default."""
        return {
            f.name: list(value) if isinstance(value, tuple) else value
            for f in fields(self)
            if (value := getattr(self, f.name)) != _default(f.name)
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Crawl:
        """The inverse of `as_dict`: for a crawl that has been validated before it came into the state."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        return cls(**values)


_KEYS = tuple(f.name for f in fields(Crawl) if f.name != "name")


def _default(name: str) -> Any:
    (found,) = (f for f in fields(Crawl) if f.name == name)
    return found.default_factory() if found.default_factory is not MISSING else found.default


def parse_catalogue(document: object) -> dict[str, Crawl]:
    """Return the crawls of a catalogue (the parsed YAML or JSON of ``crawls.yaml``) by name.

    Raises `InvalidCrawlError` with a line for everything that is wrong.
    """
    if not isinstance(document, Mapping) or set(document) != {"crawls"} or not isinstance(document["crawls"], Mapping):
        raise InvalidCrawlError('the catalogue has one key at the top, "crawls", and under it a crawl for each name')
    crawls: dict[str, Crawl] = {}
    problems: list[str] = []
    for name, entry in document["crawls"].items():
        try:
            crawls[str(name)] = _parse_crawl(name, entry, f"crawls.{name}")
        except InvalidCrawlError as error:
            problems.append(str(error))
    if problems:
        raise InvalidCrawlError("\n".join(problems))
    return crawls


def parse_resume(document: object) -> str | None:
    """Return the run that an input like ``{"resume": "<run_id>"}`` names, or None for another one.

    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping) or "resume" not in document:
        return None
    run_id = document["resume"]
    if len(document) > 1 or not isinstance(run_id, str) or not run_id:
        raise InvalidCrawlError(f'the input {_shown(document)} must be {{"resume": "<run_id>"}} and nothing else')
    return run_id


def parse_input(document: object, catalogue: Mapping[str, Crawl]) -> Crawl:
    """Return the crawl that an execution's input asks for.

    ``{"crawl": name}`` takes it from the catalogue; ``{"service": …, "operation": …}`` needs none. All other keys of
    a crawl can be given too; `parameters` and `pagination_config` are merged with the catalogue's.
    Raises `InvalidCrawlError`.
    """
    if not isinstance(document, Mapping):
        raise InvalidCrawlError(f'the input is {_shown(document)}; it must be a JSON object like {{"crawl": "a-name"}}')
    asked = {str(key): value for key, value in document.items()}
    name = asked.pop("crawl", None)
    allowed = [key for key in _KEYS if key not in SCHEDULE_KEYS]
    if name is None:
        if not {"service", "operation"} & asked.keys():
            raise InvalidCrawlError(
                f'the input {_shown(document)} names no crawl; give {{"crawl": "a-name"}} with a name of the catalogue '
                f'({_listed(catalogue)}), or {{"service": "…", "operation": "…"}}'
            )
        _refuse_unknown_keys(asked, allowed, "input", ["crawl"])
        return _parse_crawl(ADHOC_PREFIX + f"{asked.get('service')}-{asked.get('operation')}", asked, "input")
    if not isinstance(name, str) or name not in catalogue:
        raise InvalidCrawlError(f"input.crawl: {_shown(name)} is not in the catalogue{_nearest(name, catalogue)}")
    _refuse_unknown_keys(asked, allowed, "input", ["crawl"])
    entry = {key: value for key, value in catalogue[name].as_dict().items() if key != "name"}
    for key, value in asked.items():
        merged = isinstance(value, Mapping) and isinstance(entry.get(key), Mapping)
        entry[key] = {**entry[key], **value} if merged else value
    return _parse_crawl(name, entry, "input")


def _parse_crawl(name: object, entry: object, place: str) -> Crawl:
    if not isinstance(name, str) or not (_NAME.fullmatch(name) or name.startswith(ADHOC_PREFIX)):
        raise InvalidCrawlError(
            f"{place}: the name {_shown(name)} must be 1 to 48 letters, digits, hyphens and underscores"
        )
    if place != "input" and name.startswith(ADHOC_PREFIX):
        raise InvalidCrawlError(f'{place}: names that begin with "{ADHOC_PREFIX}" are for crawls from the console')
    if not isinstance(entry, Mapping):
        raise InvalidCrawlError(f'{place}: {_shown(entry)} must be an object with at least "service" and "operation"')
    _refuse_unknown_keys(entry, _KEYS, place)
    problems = [problem for check in _CHECKS for problem in check(entry, place)]
    if problems:
        raise InvalidCrawlError("\n".join(problems))
    return Crawl.from_dict({"name": name, **entry})


def _refuse_unknown_keys(entry: Mapping[Any, Any], known: Iterable[str], place: str, more: Iterable[str] = ()) -> None:
    names = [*more, *known]
    unknown = [key for key in entry if key not in names]
    if unknown:
        raise InvalidCrawlError(
            "\n".join(f"{place}: {_shown(key)} is not a key of a crawl{_nearest(key, names)}" for key in unknown)
        )


def _check_api(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """`service`, `operation` and `parameters`, against botocore's own models."""
    service, operation = entry.get("service"), entry.get("operation")
    for key, value, example in (("service", service, "s3"), ("operation", operation, "list_objects_v2")):
        if not isinstance(value, str) or not value:
            was = "is missing" if value is None else f"is {_shown(value)}"
            yield f'{place}.{key}: {was}; it must be the name that boto3 uses, like "{example}"'
    if not (isinstance(service, str) and service and isinstance(operation, str) and operation):
        return
    if service not in api.service_names():
        yield f"{place}.service: boto3 has no service {_shown(service)}{_nearest(service, api.service_names())}"
        return
    if operation not in api.operation_names(service):
        near = _nearest(xform_name(operation), api.operation_names(service))
        yield f"{place}.operation: {service} has no operation {_shown(operation)}{near}"
        return
    if reason := NEVER_ENDING.get((service, operation)):
        yield f"{place}.operation: {service} {operation} never ends: {reason}"
        return
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        yield f"{place}.parameters: {_shown(parameters)} must be an object of the operation's parameters"
        return
    shape = api.operation_model(service, operation).input_shape
    known = list(shape.members) if shape else []
    unknown = [key for key in parameters if key not in known]
    for key in unknown:
        yield f"{place}.parameters: {service} {operation} has no parameter {_shown(key)}{_nearest(key, known)}"
    if shape and not unknown:
        report = ParamValidator().validate(dict(parameters), shape)
        if report.has_errors():
            for line in report.generate_report().splitlines():
                yield f"{place}.parameters: {line}"


def _check_pagination_config(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    config = entry.get("pagination_config", {})
    place = f"{place}.pagination_config"
    if not isinstance(config, Mapping):
        yield f"{place}: {_shown(config)} must be an object with any of {_listed(PAGINATION_CONFIG_KEYS)}"
        return
    for key, value in config.items():
        if key not in PAGINATION_CONFIG_KEYS:
            yield f"{place}: {_shown(key)} is not a key of it{_nearest(key, PAGINATION_CONFIG_KEYS)}"
        elif key == "StartingToken":
            if not isinstance(value, str) or not value:
                yield f"{place}.{key}: {_shown(value)} must be a token that boto3, the AWS CLI or a run gave"
        elif not _is_whole(value) or value < 1:
            yield f"{place}.{key}: {_shown(value)} must be a whole number from 1"


def _check_paging(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    """How the operation pages: what is stated of it, what is missing, and what the way it pages does not allow."""
    if not _is_whole(entry.get("max_pages", 1)) or entry.get("max_pages", 1) < 1:
        yield f"{place}.max_pages: {_shown(entry['max_pages'])} must be a whole number from 1"
    service, operation = entry.get("service"), entry.get("operation")
    if not isinstance(service, str) or not isinstance(operation, str):
        return
    if service not in api.service_names() or operation not in api.operation_names(service):
        return
    stated = {name: entry[name] for name in STATED if name in entry}
    problems = list(_check_stated(stated, api.operation_model(service, operation), place))
    yield from problems
    if problems:
        return
    paginator = paginator_of(service, operation, _as_lists(stated))
    if paginator.missing:
        lacking = [name for name in NEEDED if name not in paginator.definition]
        yield (
            f"{place}: botocore has no paginator for {service} {operation}, and how it pages cannot be inferred: "
            f"{paginator.missing}; state {_listed(lacking)} in the crawl"
        )
        return
    config = entry.get("pagination_config", {})
    if isinstance(config, Mapping):
        yield from _check_config_fits(config, paginator, service, operation, f"{place}.pagination_config")


def _check_stated(stated: Mapping[str, Any], model: OperationModel, place: str) -> Iterable[str]:
    parameters = list(model.input_shape.members) if model.input_shape else []
    for name, value in stated.items():
        several = isinstance(value, list | tuple) and name in NEEDED
        values = list(value) if several else [value]
        if not values or not all(isinstance(each, str) and each for each in values):
            yield f"{place}.{name}: {_shown(value)} must be a name{' or a list of names' if name in NEEDED else ''}"
        elif name in ("input_token", "limit_key"):
            for each in set(values) - set(parameters):
                near = _nearest(each, parameters)
                yield f"{place}.{name}: {_shown(each)} is not a parameter of the operation{near}"
        else:
            for each in values:
                yield from _check_expression(each, f"{place}.{name}")
    tokens = [stated.get(name) for name in ("input_token", "output_token")]
    if all(tokens) and len({len(t) if isinstance(t, list | tuple) else 1 for t in tokens}) > 1:
        yield f"{place}.output_token: there must be one for each input_token, in the same order"


def _check_config_fits(
    config: Mapping[str, Any], paginator: Paginator, service: str, operation: str, place: str
) -> Iterable[str]:
    definition = paginator.definition
    if "PageSize" in config and "limit_key" not in definition:
        yield f"{place}.PageSize: {service} {operation} has no parameter that sets the size of a page; leave it out"
    primary = pagination.result_keys(definition)[0]
    kind = getattr(pagination.result_shape(api.operation_model(service, operation), primary), "type_name", "list")
    if "MaxItems" in config and kind in ("map", "structure"):
        yield f"{place}.MaxItems: it counts the elements of a list, and {primary} is a {kind}; leave it out"
    token = config.get("StartingToken")
    if isinstance(token, str) and token:
        wrong = pagination.wrong_starting_token(token, definition)
        if wrong:
            yield f"{place}.StartingToken: {wrong}"


def _check_expressions(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    for key in ("search", "key"):
        expression = entry.get(key)
        if expression is None:
            continue
        if not isinstance(expression, str) or not expression:
            yield f"{place}.{key}: {_shown(expression)} must be a JMESPath expression"
            continue
        yield from _check_expression(expression, f"{place}.{key}")


def _check_expression(expression: str, place: str) -> Iterable[str]:
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        at = getattr(error, "lex_position", None)
        where = "" if at is None else f" at character {at + 1}"
        yield f"{place}: {_shown(expression)} is not JMESPath{where}: {str(error).splitlines()[0]}"


def _check_lists(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    regions = entry.get("regions", [])
    if not isinstance(regions, list | tuple) or not all(isinstance(r, str) and _REGION.fullmatch(r) for r in regions):
        yield f'{place}.regions: {_shown(regions)} must be a list of regions, like ["eu-west-1", "us-east-1"]'
    elif len(set(regions)) != len(regions):
        yield f"{place}.regions: {_shown(regions)} names a region twice"
    sinks = entry.get("sinks", [])
    if not isinstance(sinks, list | tuple) or not set(map(str, sinks)) <= set(SINKS):
        yield f"{place}.sinks: {_shown(sinks)} must be a list of any of: {_listed(SINKS)}"


def _check_run(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    for key, least, most in (("max_pages_per_second", 0.05, 1000), ("deadline_hours", 0.001, 8760)):
        value = entry.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            yield f"{place}.{key}: {_shown(value)} must be a number from {least} to {most}"
    concurrency = entry.get("max_concurrency", 1)
    if not _is_whole(concurrency) or not 1 <= concurrency <= 10_000:
        yield f"{place}.max_concurrency: {_shown(concurrency)} must be a whole number from 1 to 10000"
    for key, words in (("overlap", OVERLAPS), ("stale_items", STALE_ITEMS)):
        if entry.get(key, words[0]) not in words:
            yield f"{place}.{key}: {_shown(entry[key])} must be one of: {', '.join(words)}"
    tolerate = entry.get("tolerate", [])
    if not isinstance(tolerate, list | tuple) or not set(map(str, tolerate)) <= set(VERDICTS):
        yield f"{place}.tolerate: {_shown(tolerate)} must be a list of any of: {', '.join(VERDICTS)}"
    ignored = entry.get("ignore_errors", [])
    if not isinstance(ignored, list | tuple) or not all(isinstance(code, str) and code for code in ignored):
        yield f'{place}.ignore_errors: {_shown(ignored)} must be a list of error codes, like ["NoSuchBucket"]'
    if not isinstance(entry.get("allow_empty", False), bool):
        yield f"{place}.allow_empty: {_shown(entry['allow_empty'])} must be true or false"


def _check_schedule(entry: Mapping[str, Any], place: str) -> Iterable[str]:
    schedule = entry.get("schedule")
    if schedule is not None and not (
        isinstance(schedule, str) and (_RATE.fullmatch(schedule) or _CRON.fullmatch(schedule))
    ):
        yield (
            f'{place}.schedule: {_shown(schedule)} must be like "rate(6 hours)", or "cron(0 3 * * ? *)" with six fields'
        )
    if not isinstance(entry.get("enabled", True), bool):
        yield f"{place}.enabled: {_shown(entry['enabled'])} must be true or false"
    timezone = entry.get("timezone", "UTC")
    zones = zoneinfo.available_timezones() | {"UTC"}
    # Where the machine has no time zone data, EventBridge Scheduler is left to judge.
    if not isinstance(timezone, str) or (len(zones) > 1 and timezone not in zones):
        yield f"{place}.timezone: {_shown(timezone)} is not a time zone{_nearest(timezone, zones)}"


_CHECKS = (
    _check_api,
    _check_pagination_config,
    _check_paging,
    _check_expressions,
    _check_lists,
    _check_run,
    _check_schedule,
)


def _as_lists(stated: Mapping[str, Any]) -> dict[str, Any]:
    """botocore wants lists, and a frozen crawl has tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items()}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _listed(names: Iterable[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "") or "it is empty"


def _nearest(name: object, names: Iterable[str]) -> str:
    known = cast("list[str]", list(names))
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else f"; it can be: {_listed(known)}"
