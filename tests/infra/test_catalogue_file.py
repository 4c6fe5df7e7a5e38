from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra.catalogue import read_catalogue
from local.reference import REFERENCE, written
from pageturner.crawls.checks import KEYS, SCHEMA
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError
from tests.infra.conftest import PROJECT


def wrong(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "crawls.yaml"
    path.write_text(text)
    with pytest.raises(InvalidCrawlError) as raised:
        read_catalogue(path)
    return str(raised.value).splitlines()


def test_every_mistake_is_said_with_its_line(tmp_path: Path) -> None:
    assert wrong(
        tmp_path,
        """\
crawls:
  one:
    service: s3
    operation: list_bucket
  two:
    service: s3
    operation: list_objects_v2
    parameters:
      Bucket: b
      Prefx: logs/
    pagination_config: {PageSize: 0}
    regons: [us-east-1]
  three:
    service: iam
    operation: list_roles
    accounts: [111111111111]
  four: {operation: list_roles}
""",
    ) == [
        'crawls.yaml:4: crawls.one.operation: s3 has no operation "list_bucket"; did you mean "list_buckets"?',
        'crawls.yaml:12: crawls.two.regons: unknown key; did you mean "regions"?',
        "crawls.yaml:16: crawls.three.accounts: invalid value [111111111111]; must be a list of 12-digit account IDs, "
        'in quotes, like ["111111111111"], or "organization"; a list can have names of accounts, like "prod-*", and '
        'exceptions, like "!sandbox-*"',
        'crawls.yaml:17: crawls.four.service: missing required key; must be a boto3 service name, like "s3"',
    ]


def test_a_mistake_in_a_part_has_the_line_of_the_part(tmp_path: Path) -> None:
    text = """\
crawls:
  c:
    service: s3
    operation: list_objects_v2
    parameters:
      Bucket: b
      Prefx: logs/
    pagination_config:
      MaxItems: 10
      PageSize: 0
"""
    assert [line.partition(": ")[0] for line in wrong(tmp_path, text)] == ["crawls.yaml:10", "crawls.yaml:7"]


def test_a_chain_that_breaks_has_the_line_of_its_crawl(tmp_path: Path) -> None:
    text = """\
crawls:
  objects:
    service: s3
    operation: list_objects_v2
    for_each:
      parameters: {Bucket: item.Name}
      crawl: bukets
  buckets: {service: s3, operation: list_buckets}
"""
    assert wrong(tmp_path, text) == [
        'crawls.yaml:7: crawls.objects.for_each.crawl: "bukets" is not in the catalogue; did you mean "buckets"?'
    ]


def test_a_crawl_that_comes_twice_is_not_lost(tmp_path: Path) -> None:
    text = "crawls:\n  a: {service: s3, operation: list_buckets}\n  a: {service: iam, operation: list_roles}\n"
    assert wrong(tmp_path, text) == ["crawls.yaml:3: a: duplicate key"]


@pytest.mark.parametrize("name", ["a b", "a.b", "'a: b'", "ü", "''", "a" * 49, "3"])
def test_a_name_that_is_not_allowed_has_its_own_line(name: str, tmp_path: Path) -> None:
    text = f"crawls:\n  a: {{service: s3, operation: list_buckets}}\n  a-b: {{service: s3}}\n  {name}: {{}}\n"
    assert [line.partition(": ")[0] for line in wrong(tmp_path, text)] == ["crawls.yaml:3", "crawls.yaml:4"]


def test_an_empty_catalogue(tmp_path: Path) -> None:
    assert wrong(tmp_path, "") == [
        'crawls.yaml:1: the catalogue must have exactly one top-level key, "crawls", which maps names to crawls'
    ]


def test_a_catalogue_whose_crawls_are_gone(tmp_path: Path) -> None:
    assert wrong(tmp_path, "crawls:\n") == ["crawls.yaml:1: crawls: is empty; a catalogue without crawls is crawls: {}"]


def test_wrong_yaml_is_said_with_its_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "crawls.yaml"
    path.write_text("crawls:\n  a: {service: s3\n")
    with pytest.raises(yaml.YAMLError, match=r'in "crawls\.yaml", line 2'):
        read_catalogue(path)


def test_a_time_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "crawls.yaml"
    path.write_text(
        "crawls: {c: {service: cloudtrail, operation: lookup_events, parameters: {StartTime: 2026-01-31T00:00:00Z}}}"
    )
    assert read_catalogue(path)["c"].parameters == {"StartTime": "2026-01-31T00:00:00Z"}


def test_the_schema_has_every_key_and_its_default() -> None:
    defaults = Crawl("c", "s3", "list_buckets").as_dict()
    assert defaults.keys() == {"name", "service", "operation"}
    fields = {name.rstrip("_"): name for name in Crawl.__dataclass_fields__ if name != "name"}
    assert sorted(KEYS) == sorted(fields)
    for name, key in KEYS.items():
        value = getattr(Crawl("c", "s", "o"), fields[name])
        default = list(value) if isinstance(value, tuple) else value
        if name not in ("service", "operation"):
            assert key.get("default") == default, name
        assert key["description"].endswith("."), name
        assert key["errorMessage"].startswith("must be"), name


def test_the_schema_is_one_and_takes_its_own_examples_and_the_catalogue() -> None:
    """An independent validator, like those of editors, agrees with our own checks."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft7Validator(SCHEMA)
    for name, key in KEYS.items():
        for example in key["examples"]:
            jsonschema.Draft7Validator({**key, "definitions": SCHEMA["definitions"]}).validate(example)
            assert json.dumps(example), name
    validator.validate(yaml.safe_load((PROJECT / "crawls.yaml").read_text()))
    assert not validator.is_valid({"crawls": {"adhoc-c": {"service": "s3", "operation": "list_buckets"}}})
    assert not validator.is_valid({"crawls": {"c": {"service": "s3", "operation": "list_buckets", "regons": []}}})


def test_the_reference_documents_every_key_as_the_schema_has_it() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert text == written(text), "docs/reference.md is out of date; run make reference"
    assert all(f"### `{name}`" in text for name in KEYS)


OBJECTS: dict[str, Any] = {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "b"}}
ROLES: dict[str, Any] = {"service": "iam", "operation": "list_roles"}
# The crawls for keys whose examples are not valid in OBJECTS.
AROUND: dict[str, dict[str, Any]] = {
    "organizational_units": {**OBJECTS, "accounts": "organization"},
    "account_tags": {**OBJECTS, "accounts": "organization"},
    "for_each": {"service": "s3", "operation": "list_objects_v2"},
    "ignore_fields": {"service": "secretsmanager", "operation": "list_secrets"},
    "redact": {"service": "redshift", "operation": "describe_clusters"},
    "since": {"service": "cloudtrail", "operation": "lookup_events"},
    "time_to_live": {**OBJECTS, "stale_items": "mark"},
    "flexible_time_window": {**OBJECTS, "schedule": "rate(1 day)"},
    "detail": {"service": "s3", "operation": "list_buckets"},
    "operations": {},
    "except": {"operations": "inventory"},
    **dict.fromkeys(("input_token", "output_token", "result_key", "limit_key", "more_results"), ROLES),
}


@pytest.mark.parametrize("name", KEYS)
def test_every_example_is_right(name: str, tmp_path: Path) -> None:
    for example in KEYS[name]["examples"]:
        crawls = {
            "c": {**AROUND.get(name, OBJECTS), name: example},
            "buckets": {"service": "s3", "operation": "list_buckets"},
        }
        path = tmp_path / "crawls.yaml"
        path.write_text(yaml.safe_dump({"crawls": crawls}))
        found = read_catalogue(path)["c"].as_dict()[name]
        assert found == example
