"""Where services are, held against botocore's endpoints."""

from __future__ import annotations

import re
from collections import Counter

from pageturner.crawls.checks import KEYS
from pageturner.crawls.regions import wrong_regions
from pageturner.paging import api

# How documentation strings say that a service has one region.
_SAID = re.compile(
    r"you must specify the US \w+ \((Oregon|Ohio|N\. Virginia)\) Region"
    r"|control plane APIs are currently available in US East \((Virginia)\) -"
)
_REGIONS = {"Oregon": "us-west-2", "Ohio": "us-east-2", "N. Virginia": "us-east-1", "Virginia": "us-east-1"}


def test_every_service_is_regional_or_global_or_of_regions_that_botocore_does_not_know() -> None:
    def kind(service: str) -> str:
        regions = api.regions_of(service, "aws")
        assert set(regions) <= api.listed_regions().keys()
        assert not (regions and api.is_global(service, "aws"))
        return "regional" if regions else "global" if api.is_global(service, "aws") else "unknown"

    kinds = Counter(kind(service) for service in api.service_names())
    assert kinds.total() >= 439
    assert min(kinds["regional"] - 300, kinds["global"] - 29, 110 - kinds["unknown"]) >= 0
    assert [kind(name) for name in ("s3", "iam", "billing", "bedrock-agent")] == [
        "regional",
        *["global"] * 2,
        "unknown",
    ]


def test_every_service_whose_documentation_says_that_it_has_one_region_is_only_there() -> None:
    said = {}
    for service in api.service_names():
        text = " ".join(re.sub(r"<[^>]+>", "", api.service_model(service).documentation).split())
        if (found := _SAID.search(text)) and not api.is_global(service, "aws"):
            said[service] = _REGIONS[found[1] or found[2]]
    assert said == {
        "globalaccelerator": "us-west-2",
        "notifications": "us-east-1",
        "route53-recovery-cluster": "us-west-2",
        "route53globalresolver": "us-east-2",
    }
    for service, region in said.items():
        assert api.regions_of(service, "aws") == [region]
        # The sentences are about the partition "aws".
        assert api.one_region_of(service, "aws-us-gov") is None
    assert len(api.regions_of("notifications", "aws-us-gov")) == 2


def test_every_region_of_botocore_is_one_in_a_crawl_and_in_an_item() -> None:
    pattern = KEYS["regions"]["items"]["pattern"]
    assert len(api.known_regions()) >= 48
    assert api.listed_regions().items() <= api.known_regions().items()
    for region in api.known_regions():
        assert re.search(pattern, region)
        assert api.is_region(region)
        assert not list(wrong_regions([region]))
    for text in ("EU", "global", "aws-global", "us-east-1a", "", "us-east", "*"):
        assert not api.is_region(text)


def test_accounts_and_organizational_units_are_those_that_aws_takes() -> None:
    """Organizations' own patterns are in its model."""
    organizations = api.service_model("organizations")
    unit, account = organizations.shape_for("ParentId"), organizations.shape_for("AccountId")
    units = KEYS["organizational_units"]["items"]["pattern"]
    accounts = KEYS["accounts"]["items"]["pattern"]
    for text in (
        "r-abcd",
        "ou-abcd-11112222",
        "r-ABCD",
        "ou-abcd-1111222",
        "ou-abcd",
        "r-abc",
        "123456789012",
        "12345",
    ):
        for given in (text, f"!{text}"):
            assert bool(re.search(units, given)) == bool(re.fullmatch(unit.metadata["pattern"], text)), given
            # What is no number is a name.
            is_account = not text.isdecimal() or re.fullmatch(account.metadata["pattern"], text)
            assert bool(re.search(accounts, given)) == bool(is_account), given


def test_names_of_accounts_are_those_that_aws_gives() -> None:
    """Printable ASCII, at most 50 characters: Organizations' model has that of CreateAccount, and lists older ones."""
    name = api.service_model("organizations").shape_for("CreateAccountName")
    assert name.metadata["max"] == 50
    accounts = KEYS["accounts"]["items"]["pattern"]
    for text in ("Prod", "a", "My account (old) [2024]", "x" * 50, "prod-*", "*", "?", "1234?"):
        assert re.fullmatch(name.metadata["pattern"], text)
        assert re.search(accounts, text), text
        assert re.search(accounts, f"!{text}"), text
    for text in ("", "!", " prod", "prod ", "1234", "x" * 51, "!!x"):
        assert not re.search(accounts, text), text
