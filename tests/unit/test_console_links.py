"""Links to the console are those of the region's own partition."""

from __future__ import annotations

import pytest

from pageturner.console import Console


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, host: str) -> None:
    assert Console(region).object("bucket", "runs/a") == (
        f"https://{host}/s3/object/bucket?region={region}&prefix=runs%2Fa"
    )
