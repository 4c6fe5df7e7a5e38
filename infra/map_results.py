"""Where the Distributed Map writes how its children ended."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn

from infra.store_grants import MAP_RESULTS_PREFIX

# Step Functions Developer Guide, "IAM policies for using Distributed Map states": of a ResultWriter.
_ACTIONS = ("PutObject", "GetObject", "ListMultipartUploadParts", "AbortMultipartUpload")


class MapResults(sfn.ResultWriterV2):
    """The CDK's own lets the machine put and read all objects of the bucket."""

    def __init__(self, bucket: s3.IBucket) -> None:
        super().__init__(bucket=bucket, prefix=MAP_RESULTS_PREFIX)
        self._results = bucket.arn_for_objects(f"{MAP_RESULTS_PREFIX}/*")

    def provide_policy_statements(self) -> list[iam.PolicyStatement]:
        """Return what the machine may do with the results."""
        return [iam.PolicyStatement(actions=[f"s3:{action}" for action in _ACTIONS], resources=[self._results])]
