"""Checks the regions of a crawl against those that botocore knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pageturner.messages import nearest, shown
from pageturner.paging import api


def wrong_regions(regions: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with `regions`, which have the form of regions or are "all"."""
    if "all" in regions:
        if len(regions) > 1:
            yield f'invalid value {shown(regions)}; must be ["all"] alone, or a list of regions'
        return
    known = api.known_regions()
    for region in regions:
        if region not in known:
            yield (
                f'botocore knows no region {shown(region)} (a newer one comes with ["all"], or with a newer boto3)'
                f"{nearest(region, known)}"
            )
    of_partitions = {known[region]: region for region in reversed(regions) if region in known}
    if len(of_partitions) > 1:
        lines = " and ".join(f"{region} in {partition}" for partition, region in sorted(of_partitions.items()))
        yield f"the regions are in several partitions, {lines}, but credentials are valid in one; make a crawl for each"
