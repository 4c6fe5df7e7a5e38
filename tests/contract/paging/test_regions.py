"""Where services are, held against botocore's endpoints."""

from __future__ import annotations

from collections import Counter

from pageturner.paging import api


def test_every_service_is_regional_or_global_or_of_regions_that_botocore_does_not_know() -> None:
    def kind(service: str) -> str:
        regions = api.regions_of(service, "aws")
        assert set(regions) <= api.listed_regions().keys()
        assert not (regions and api.is_global(service, "aws"))
        return "regional" if regions else "global" if api.is_global(service, "aws") else "unknown"

    kinds = Counter(kind(service) for service in api.service_names())
    assert kinds.total() >= 439
    assert min(kinds["regional"] - 300, kinds["global"] - 19, 120 - kinds["unknown"]) >= 0
    assert {kind("s3"), kind("iam"), kind("bedrock-agent")} == {"regional", "global", "unknown"}
