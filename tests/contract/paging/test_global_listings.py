"""The listings that are the same from every region, checked against botocore's models and documentation."""

from __future__ import annotations

import re

from pageturner.crawls.read_only import refusal
from pageturner.paging import api
from pageturner.paging.global_listings import _GLOBAL
from pageturner.paging.paginators import paginator_of

# How documentation strings say that an operation lists the same from every region.
_SAID = re.compile(
    r"in any other enabled Region|from any Amazon Web Services Region\b|Regions are returned"
    r"|(indexes in (all )?Amazon Web Services Regions)|always be routed to"
)


def test_they_can_be_crawled_in_several_regions() -> None:
    for service, operation in _GLOBAL:
        assert paginator_of(service, operation, {}).missing is None
        assert len(api.regions_of(service, "aws")) > 1


def test_every_listing_whose_documentation_says_so_is_known() -> None:
    said = set()
    checked = 0
    for service in api.service_names():
        if not api.regions_of(service, "aws"):
            continue
        for operation in api.operation_names(service):
            if refusal(service, operation) is None and paginator_of(service, operation, {}).missing is None:
                text = re.sub(r"<[^>]+>", "", api.operation_model(service, operation).documentation)
                checked += 1
                if _SAID.search(text):
                    said.add((service, operation))
    assert checked >= 3000
    assert said == _GLOBAL - {
        # What these list has its documentation elsewhere; see the table.
        ("directconnect", "describe_direct_connect_gateways"),
        ("docdb", "describe_global_clusters"),
        ("neptune", "describe_global_clusters"),
        ("rds", "describe_global_clusters"),
        ("s3", "list_buckets"),
    }
