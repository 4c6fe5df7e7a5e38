"""How parameters name resources, over all operations that can be crawled, held against AWS's own lists of types."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from local.iam_types import Type, types_of
from local.resource_templates import RESOURCES, lines
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.iam_actions import iam_action, read_actions
from pageturner.crawls.iam_resources import read_statements
from pageturner.crawls.read_only import refusal
from pageturner.crawls.resources import PLACEHOLDER, UNKNOWN, resources_of
from pageturner.paging import api

DEPLOYING = Path(__file__).parents[3] / "docs" / "deploying.md"
# Paths of API Gateway that the reference leaves out (API Gateway Developer Guide, "Resource format of permissions for
# managing API in API Gateway").
PATHS = ("/apis", "/sdktypes")


@cache
def accepted() -> list[tuple[str, str]]:
    every = ((service, operation) for service in api.service_names() for operation in api.operation_names(service))
    return [each for each in every if refusal(*each) is None]


@cache
def made() -> dict[tuple[str, str], list[str]]:
    """The templates of each operation, without those that send it to ``*``."""
    found: dict[tuple[str, str], list[str]] = {}
    for line in RESOURCES.read_text(encoding="utf-8").splitlines():
        operations, _, templates = line.partition(" = ")
        service, *names = operations.split()
        found |= {(service, name): [each for each in templates.split() if each[0] != "*"] for name in names}
    return found


def matching(arn: str) -> str:
    """A regular expression for what an ARN matches, whatever is in the place of its variables and wildcards."""
    return ".*".join(map(re.escape, re.split(r"\$\{\w+\}|\*", arn)))


def example(of: Type) -> str:
    service, region, account, rest = of.arn.split(":", 3)
    here = [service, region and "eu-west-1", account if account.isalpha() else account and "111122223333"]
    return ":".join([*here, re.sub(r"\$\{\w+\}|\*", "x", rest)])


def test_the_file_is_what_the_models_and_the_types_make_of_it() -> None:
    assert RESOURCES.read_text(encoding="utf-8") == lines(), "run make read-operations, and read the diff"


def test_what_is_granted_is_of_a_type_that_the_action_can_be_granted_on() -> None:
    strays = {
        (service, operation, template)
        for (service, operation), templates in made().items()
        for template in templates
        if not any(is_like(PLACEHOLDER.sub("*", template), each) for each in types_of(iam_action(service, operation)))
    }
    assert {
        each for each in strays if not each[2].startswith(tuple(f"apigateway:${{Region}}::{p}" for p in PATHS))
    } == set()
    assert len(strays) == 9


def is_like(granted: str, of: Type) -> bool:
    return bool(re.fullmatch(matching(of.arn), granted) or re.fullmatch(matching(granted), example(of)))


def test_an_arn_is_granted_as_it_is_and_nothing_beside_it() -> None:
    asked = 0
    for (service, operation), templates in made().items():
        places = [place for template in templates for place in PLACEHOLDER.finditer(template)]
        if not places or {(place["path"], place["form"]) for place in places} != {(places[0]["path"], "arn")}:
            continue
        named = [PLACEHOLDER.sub("*", template) for template in templates if PLACEHOLDER.search(template)]
        for each in types_of(iam_action(service, operation)):
            if not any(is_like(template, each) for template in named):
                continue
            arn = f"arn:aws:{example(each)}"
            found = {resource.arn for resource in resources_of(service, operation, {places[0]["path"]: arn})}
            beside = {f"arn:${{Partition}}:{template}" for template in templates if not PLACEHOLDER.search(template)}
            assert arn in found, (service, operation, arn)
            assert all(granted.startswith(arn) for granted in found - beside), (service, operation, found)
            asked += 1
    assert asked == 2_313


def test_all_actions_are_granted() -> None:
    crawls = [
        Crawl("c", service, operation, parameters=dict.fromkeys(shape.required_members, "x") if shape else {})
        for service, operation in accepted()
        for shape in [api.operation_model(service, operation).input_shape]
    ]
    statements = read_statements(crawls)
    granted = [action for statement in statements for action in statement.actions]
    assert sorted(granted) == read_actions(crawls)
    assert len({statement.resources for statement in statements}) == len(statements)


def test_the_documents_say_how_many_are_granted_on_what_they_name() -> None:
    supporting = {each for each in accepted() if types_of(iam_action(*each))}
    named = {
        (service, operation)
        for service, operation in accepted()
        for shape in [api.operation_model(service, operation).input_shape]
        if shape and resources_of(service, operation, dict.fromkeys(shape.required_members, UNKNOWN))
    }
    text = DEPLOYING.read_text(encoding="utf-8")
    for row, found in (
        ("operations that can be crawled", accepted()),
        ("whose action AWS grants on resources", supporting),
        ("of these, with parameters that name resources", made()),
        ("of these, always, because such a parameter is required", named),
    ):
        assert f"| {row} | {len(found):,} |" in text
