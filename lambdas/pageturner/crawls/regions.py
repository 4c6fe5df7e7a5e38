"""Checks the regions of a crawl against those that botocore knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pageturner.crawls.choice import matches, of_regions
from pageturner.messages import nearest, shown
from pageturner.paging import api


def wrong_regions(regions: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with `regions`, each of which has the form of a region, of a pattern, or of an exception."""
    choice, known = of_regions(regions), api.known_regions()
    unknown = [region for region in (*choice.named, *choice.not_named) if region not in known]
    for region in unknown:
        yield (
            f'botocore knows no region {shown(region)} (a newer one comes with ["all"], or with a newer boto3)'
            f"{nearest(region, known)}"
        )
    useless = [each for each in (*choice.patterns, *choice.not_matching) if not any(matches(r, each) for r in known)]
    for pattern in useless:
        yield f'no region that botocore knows matches {shown(pattern)}; a pattern is like "eu-*"'
    of_partitions = {known[region]: region for region in reversed(choice.named) if region in known}
    if len(of_partitions) > 1:
        lines = " and ".join(f"{region} in {partition}" for partition, region in sorted(of_partitions.items()))
        yield f"the regions are in several partitions, {lines}, but credentials are valid in one; make a crawl for each"
    chosen = (region for region in known if region in choice.named or choice.chooses(region))
    if regions and not unknown and not useless and all(choice.excepts(region, region) for region in chosen):
        yield f"invalid value {shown(regions)}; the exceptions leave no region; remove some of them"
