from __future__ import annotations

import pytest

from tests.conftest import Aws, Machines
from tests.runs_of_a_bucket import CRAWL, KEYS


@pytest.fixture
def source(aws: Aws, machines: Machines) -> None:
    """A bucket with `KEYS`, and a crawl of it."""
    aws.s3.create_bucket(Bucket="source")
    for key in KEYS:
        aws.s3.put_object(Bucket="source", Key=key, Body=b"x")
    machines.catalogue = {"c": CRAWL}
