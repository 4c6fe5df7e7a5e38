"""Where the Distributed Map writes how its children ended."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn

from infra.store_grants import MAP_RESULTS_PREFIX


class MapResults(sfn.ResultWriterV2):
    """The CDK's own lets the machine put and read all objects of the bucket. `StoreGrants.crawl` has what it may."""

    def __init__(self, bucket: s3.IBucket) -> None:
        super().__init__(bucket=bucket, prefix=MAP_RESULTS_PREFIX)

    def provide_policy_statements(self) -> list[iam.PolicyStatement]:
        """Return none."""
        return []
