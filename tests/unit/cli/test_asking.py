"""What is typed becomes an input, and an input what to type."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from pageturner.crawls.catalogue import parse_input
from pageturner_cli import asking, executions
from pageturner_cli.aws_errors import Asked
from pageturner_cli.failures import USAGE, Failure
from pageturner_cli.main import main

DEFAULT = Asked("Pageturner")
TYPED: list[tuple[list[str], str | None, list[str], dict[str, Any]]] = [
    (["buckets"], None, [], {"crawl": "buckets"}),
    (["buckets"], None, ["deadline_hours=48"], {"crawl": "buckets", "deadline_hours": 48}),
    (["buckets"], None, ["tolerate=[denied]"], {"crawl": "buckets", "tolerate": ["denied"]}),
    (["buckets"], None, ['search="a = b"'], {"crawl": "buckets", "search": "a = b"}),
    (
        ["s3", "list_objects_v2"],
        '{"Bucket": "it\'s"}',
        [],
        {"service": "s3", "operation": "list_objects_v2", "parameters": {"Bucket": "it's"}},
    ),
    (["iam:list_*", "ec2:describe_vpcs"], None, [], {"operations": ["iam:list_*", "ec2:describe_vpcs"]}),
    ([], None, ["operations=inventory"], {"operations": "inventory"}),
    (["buckets"], None, ['mistrust="off"'], {"crawl": "buckets", "mistrust": "off"}),
]


@pytest.mark.parametrize(("words", "parameters", "settings", "asked"), TYPED)
def test_what_is_typed_is_asked(
    words: list[str], parameters: str | None, settings: list[str], asked: dict[str, Any]
) -> None:
    assert asking.asked_for(words, parameters, settings) == asked


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("asked", [each for *_, each in TYPED])
def test_what_is_to_type_asks_the_same(asked: dict[str, Any], dry_run: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {**asked, **({"dry_run": True} if dry_run else {})}

    class AskedError(Exception):
        """Nothing is started."""

    def begin(_: Any, document: dict[str, Any]) -> None:
        raise AskedError(document)

    monkeypatch.setattr(executions, "begin", begin)
    program, *words = shlex.split(asking.command(asked, DEFAULT))
    assert (program, words[0]) == ("pageturner", "dry-run" if dry_run else "start")
    with pytest.raises(AskedError) as raised:
        main(words)
    assert raised.value.args == (asked,)


def test_what_to_type_names_another_stack_and_its_credentials() -> None:
    typed = asking.typed(["watch", "a run"], Asked("Other", "eu-west-1", "audit"))
    assert typed == "pageturner watch 'a run' --stack Other --profile audit --region eu-west-1"


@pytest.mark.parametrize(
    ("words", "parameters", "settings", "said"),
    [
        (["s3", "list_buckets", "more"], None, [], "name a crawl of the catalogue"),
        (["s3", "ec2:describe_vpcs"], None, [], "name a crawl of the catalogue"),
        ([], None, ["deadline_hours=48"], "Name a crawl"),
        (["buckets"], None, ["deadline_hours"], "must be a key and a value"),
        (["buckets"], None, ["tolerate=[denied"], "neither JSON nor YAML"),
        (["s3", "list_buckets"], "[1]", [], "must be an object"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    words: list[str], parameters: str | None, settings: list[str], said: str
) -> None:
    with pytest.raises(Failure, match=said) as raised:
        asking.asked_for(words, parameters, settings)
    assert raised.value.code == USAGE


def test_dates_stay_text() -> None:
    assert asking.settings_of(["parameters={StartTime: 2026-02-03}"]) == {"parameters": {"StartTime": "2026-02-03"}}


@pytest.mark.parametrize(
    "asked",
    [
        {"service": "s3", "operation": "list_buckets"},
        {"operations": ["iam:list_roles", "iam:list_users"], "except": ["iam:list_users"]},
    ],
)
def test_the_name_of_what_the_catalogue_does_not_have_is_that_of_its_run(asked: dict[str, Any]) -> None:
    assert asking.crawl_of(asked) == parse_input(asked, {}).name
