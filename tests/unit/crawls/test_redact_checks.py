"""Mistakes in `redact`, and expressions that need what is redacted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_catalogue, parse_input
from pageturner.errors import InvalidCrawlError

FUNCTIONS = {"service": "lambda", "operation": "list_functions"}
PARAMETERS = {"service": "ssm", "operation": "get_parameters_by_path", "parameters": {"Path": "/"}}
TAGS = {"operation": "list_tags", "parameters": {"Resource": "item.FunctionArn"}, "as": "More", "result_key": "Tags"}
SWITCH = 'if it has to be in clear, add "environment" to redact.keep'
WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"redact": {}}, ".redact: invalid value {}; must be like"),
    ({"redact": {"maks": ["Role"]}}, '.redact.maks: unknown key; did you mean "mask"?'),
    ({"redact": {"mask": "Role"}}, '.redact.mask: invalid value "Role"; must be a list of JMESPath expressions'),
    ({"redact": {"keep": ["environmnt"]}}, '"environmnt" is not redacted by default; did you mean "environment"?'),
    ({"redact": {"keep": ["user-data"]}}, '"user-data" redacts nothing in what lambda list_functions answers'),
    ({"redact": {"mask": ["Rle"]}}, '.redact.mask: "Rle" finds nothing: there is no member Rle; did you mean "Role"?'),
    ({"redact": {"mask": ["Role["]}}, '"Role[" is not valid JMESPath'),
    ({"redact": {"drop": ["Layers[0]"]}}, '.redact.drop: "Layers[0]" does not name a field of the item'),
    ({"redact": {"drop": ["Role"], "hash": ["Role"]}}, '"Role" is there 2 times; a field is redacted in one way'),
    ({"redact": {"mask": ["Environment.Variables.A"]}}, f"finds what is redacted: masked by default; {SWITCH}"),
    (
        {"redact": {"drop": ["FunctionArn"]}},
        '"FunctionArn" is the key of the items, and dropped by redact.drop; hash it',
    ),
    ({"redact": {"mask": ["Role"]}, "key": "[Role, Runtime]"}, "is the key of the items, and masked by redact.mask"),
    ({"key": "Environment.Variables.A"}, f"is the key of the items, and masked by default; {SWITCH}"),
    ({"search": "Functions[?Environment.Variables.A=='x']"}, "a comparison would get what is redacted: masked by def"),
    ({"search": "Functions[?starts_with(Environment.Variables.A, 'x')]"}, "starts_with() would get what is redacted"),
    (
        {"redact": {"hash": ["FunctionArn"]}, "detail": TAGS},
        '"item.FunctionArn" finds what is redacted: hashed by redact.h',
    ),
    ({"redact": {"drop": ["More"]}, "detail": TAGS}, '.redact.drop: "More" is a detail; remove the detail instead'),
]


def wrong(crawls: Mapping[str, Any]) -> str:
    with pytest.raises(InvalidCrawlError) as raised:
        parse_catalogue({"crawls": crawls})
    return str(raised.value)


@pytest.mark.parametrize(("keys", "message"), WRONG, ids=[message for _, message in WRONG])
def test_mistakes(keys: Mapping[str, Any], message: str) -> None:
    assert message in wrong({"c": {**FUNCTIONS, **keys}})


@pytest.mark.parametrize(
    "keys",
    [
        {"redact": {"keep": ["environment"], "mask": ["Environment.Variables.PASSWORD"]}},
        {"redact": {"hash": ["FunctionArn"], "drop": ["Layers[*].Arn"], "mask": ["VpcConfig"]}},
        {"search": "Functions[].{Name: FunctionName, Env: Environment.Variables, Of: keys(Environment.Variables)}"},
        {"redact": {"mask": ["More.owner"]}, "detail": TAGS},
        {"redact": {"keep": ["environment"]}, "key": "Environment.Variables.NAME"},
    ],
)
def test_what_is_right(keys: Mapping[str, Any]) -> None:
    parse_catalogue({"crawls": {"c": {**FUNCTIONS, **keys}}})


def test_a_string_has_no_field() -> None:
    queues = {"service": "sqs", "operation": "list_queues", "redact": {"mask": ["value"]}}
    assert "a string has no member value" in wrong({"c": queues})
    more = {"operation": "get_queue_attributes", "parameters": {"QueueUrl": "item"}, "as": "More"}
    assert "there is no member value" in wrong({"c": {**queues, "detail": more}})


def test_another_crawl_cannot_take_what_is_redacted() -> None:
    objects = {"service": "s3", "operation": "list_objects_v2"}
    each = {"crawl": "p", "parameters": {"Bucket": "item.Value"}}
    said = wrong({"p": PARAMETERS, "o": {**objects, "for_each": each}})
    assert 'crawls.o.for_each.parameters.Bucket: "item.Value" finds what is redacted: masked by default' in said
    parse_catalogue(
        {"crawls": {"p": {**PARAMETERS, "redact": {"keep": ["secure-strings"]}}, "o": {**objects, "for_each": each}}}
    )


def test_several_operations_have_no_fields_in_common() -> None:
    parse_catalogue({"crawls": {"c": {"operations": "inventory", "redact": {"keep": ["environment"]}}}})
    several = {"operations": "inventory", "redact": {"mask": ["Name"], "keep": ["passwrds"]}}
    said = wrong({"c": several})
    assert "crawls.c.redact.mask: not with operations" in said
    assert 'crawls.c.redact.keep: "passwrds" is not redacted by default; did you mean "passwords"?' in said


@pytest.fixture
def catalogue() -> Mapping[str, Any]:
    redact = {"hash": ["Role"], "keep": ["environment"]}
    return parse_catalogue({"crawls": {"c": {**FUNCTIONS, "redact": redact}, "plain": FUNCTIONS}})


def test_an_input_can_only_redact_more(catalogue: Mapping[str, Any]) -> None:
    found = parse_input({"crawl": "c", "redact": {"hash": ["Handler"], "drop": ["Runtime"]}}, catalogue)
    assert found.redact == {"hash": ["Role", "Handler"], "drop": ["Runtime"], "keep": ["environment"]}
    assert parse_input({"crawl": "plain", "redact": {"drop": ["Runtime"]}}, catalogue).redact == {"drop": ["Runtime"]}
    nothings: tuple[Any, ...] = (None, {})
    for nothing in nothings:
        assert parse_input({"crawl": "c", "redact": nothing}, catalogue).redact == catalogue["c"].redact


@pytest.mark.parametrize("asked", [{"crawl": "c"}, {"crawl": "plain"}, FUNCTIONS])
def test_no_input_says_what_is_not_redacted(catalogue: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidCrawlError, match=r"input\.redact\.keep: only the catalogue says what is not redacted"):
        parse_input({**asked, "redact": {"keep": ["environment"]}}, catalogue)


@pytest.mark.parametrize(
    "other",
    [
        {"search": "Functions[].{Of: Role}"},
        {"operation": "list_event_source_mappings"},
        {"service": "ssm", "operation": "get_parameters_by_path"},
        {"result_key": "Functions[].Role"},
        {"detail": TAGS},
    ],
)
def test_no_input_takes_other_fields_of_a_crawl_that_redacts(
    catalogue: Mapping[str, Any], other: Mapping[str, Any]
) -> None:
    with pytest.raises(InvalidCrawlError, match="says what is redacted in its items, and these would be others"):
        parse_input({"crawl": "c", **other}, catalogue)
