"""The inputs of executions, from what is typed; and what to type for an input."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from pageturner.crawls.catalogue import adhoc_name
from pageturner.crawls.crawl import ADHOC_PREFIX
from pageturner_cli.aws_errors import Asked
from pageturner_cli.failures import USAGE, Failure

DEFAULT_STACK = "Pageturner"


def asked_for(words: Sequence[str], parameters: str | None, settings: Iterable[str]) -> dict[str, Any]:
    """Return the input that words ask for: the name of a crawl; a service and an operation; several of
    ``service:operation``; or nothing, if the settings have one of these. Raises `Failure`.
    """
    asked: dict[str, Any]
    if not words:
        asked = {}
    elif all(":" in word for word in words):
        asked = {"operations": list(words)}
    elif len(words) == 1:
        asked = {"crawl": words[0]}
    elif len(words) == 2 and not any(":" in word for word in words):
        asked = {"service": words[0], "operation": words[1]}
    else:
        raise Failure(
            f"{' '.join(words)}: name a crawl of the catalogue (buckets), a service and an operation "
            "(s3 list_buckets), or several of service:operation (ec2:describe_vpcs iam:list_roles).",
            USAGE,
        )
    asked |= settings_of(settings)
    if parameters is not None:
        asked["parameters"] = _object(parameters)
    if crawl_of(asked) is None:
        raise Failure("Name a crawl, or a service and an operation, or --set operations=inventory.", USAGE)
    return asked


def settings_of(settings: Iterable[str]) -> dict[str, Any]:
    """Return keys and values, from texts like ``deadline_hours=48``; a value is YAML or JSON. Raises `Failure`."""
    found = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise Failure(f"--set {text}: must be a key and a value, like --set deadline_hours=48.", USAGE)
        found[key.strip()] = _value(value, f"--set {text}")
    return found


def crawl_of(asked: Mapping[str, Any]) -> str | None:
    """Return the name of the crawl that an input names; None if it names none."""
    if isinstance(asked.get("crawl"), str):
        return str(asked["crawl"])
    return ADHOC_PREFIX + adhoc_name(asked) if {"service", "operations"} & asked.keys() else None


def asked_by_run(crawl: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input that begins a run of a crawl, as its record has it."""
    if not crawl["name"].startswith(ADHOC_PREFIX):
        return {"crawl": crawl["name"]}
    return {key: value for key, value in crawl.items() if key != "name"}


def command(asked: Mapping[str, Any], of: Asked) -> str:
    """Return what to type to start an execution with an input."""
    left = dict(asked)
    if "resume" in left:
        words = ["resume", str(left.pop("resume"))]
    elif "crawl" in left:
        words = ["start", str(left.pop("crawl"))]
    elif "operations" in left and not isinstance(left["operations"], str):
        words = ["start", *map(str, left.pop("operations"))]
    elif "service" in left and "operation" in left:
        words = ["start", str(left.pop("service")), str(left.pop("operation"))]
    else:
        words = ["start"]
    if left.pop("dry_run", False):
        words[0] = "dry-run"
    if "parameters" in left and not {"resume"} & asked.keys():
        words += ["--parameters", _text(left.pop("parameters"))]
    for key, value in left.items():
        words += ["--set", f"{key}={_text(value)}"]
    return typed(words, of)


def typed(words: Sequence[str], of: Asked) -> str:
    """Return what to type for words behind ``pageturner``, quoted for a shell, for the same stack."""
    more = [] if of.stack == DEFAULT_STACK else ["--stack", of.stack]
    more += [] if of.profile is None else ["--profile", of.profile]
    more += [] if of.region is None else ["--region", of.region]
    return shlex.join(["pageturner", *words, *more])


def make(target: str, of: Asked, account: str | None = None, external_id: str | None = None) -> str:
    """Return what to type for a target of the Makefile, for the same stack; for the `reader` of another account, the
    deployment's `account` and `external_id`, and nobody's profile.
    """
    words = [f"AWS_PROFILE={shlex.quote(of.profile)}"] if of.profile is not None and account is None else []
    words += [f"AWS_REGION={shlex.quote(of.region)}"] if of.region is not None else []
    words += ["make", target]
    words += [f"PAGETURNER_ACCOUNT={account}"] if account is not None else []
    words += [f"EXTERNAL_ID={shlex.quote(external_id)}"] if external_id is not None else []
    words += [f"CONTEXT={shlex.quote(f'-c stack_name={of.stack}')}"] if of.stack != DEFAULT_STACK else []
    return " ".join(words)


def _object(text: str) -> Any:
    found = _value(text, "--parameters")
    if not isinstance(found, dict):
        raise Failure(f"""--parameters {text}: must be an object, like '{{"Bucket": "my-bucket"}}'.""", USAGE)
    return found


def _value(text: str, of: str) -> Any:
    """Parse YAML, of which JSON is a part. Its dates stay text, as in JSON."""
    try:
        return json.loads(json.dumps(yaml.safe_load(text), default=str))
    except (yaml.YAMLError, TypeError) as error:
        raise Failure(f"{of}: neither JSON nor YAML: {' '.join(str(error).split())}.", USAGE) from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value and _value(value, "") == value else json.dumps(value)
