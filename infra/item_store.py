"""All storage: the bucket of page objects, the table of items, and the table of runs."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

# The Distributed Map's own report on its children. The verdicts are in the runs table; this is for troubleshooting.
MAP_RESULTS_PREFIX = "map-results"


class ItemStore(Construct):
    """The bucket is the record. The tables are its index (runs) and a projection of it (items)."""

    def __init__(self, scope: Construct, construct_id: str, *, retain_data: bool) -> None:
        super().__init__(scope, construct_id)
        removal_policy = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY
        self.bucket = s3.Bucket(
            self,
            "Items",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[
                s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
                s3.LifecycleRule(prefix=f"{MAP_RESULTS_PREFIX}/", expiration=Duration.days(30)),
            ],
            removal_policy=removal_policy,
            auto_delete_objects=not retain_data,
        )
        self.items = self._table("ItemTable", removal_policy)
        self.runs = self._table("RunTable", removal_policy, time_to_live_attribute="expires_at")

    def _table(
        self, construct_id: str, removal_policy: RemovalPolicy, time_to_live_attribute: str | None = None
    ) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            construct_id,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute=time_to_live_attribute,
            removal_policy=removal_policy,
        )

    def grant_plan(self, grantee: iam.IGrantable) -> None:
        """Let PlanRun take the lock, put the targets file, and begin a run or find out how far a resumed run is."""
        self.bucket.grant_put(grantee, "runs/*")
        self.bucket.grant_read(grantee, "runs/*")
        # The items of another crawl's run, each of which becomes a target.
        self.bucket.grant_read(grantee, "items/*")
        self.runs.grant(
            grantee,
            "dynamodb:PutItem",
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:ConditionCheckItem",
        )

    def grant_turn_pages(self, grantee: iam.IGrantable) -> None:
        """Let FetchPage turn pages. It may not delete: a written page stays."""
        self.bucket.grant_put(grantee, "items/*")
        self.bucket.grant_put(grantee, "runs/*/tokens/*")
        self.bucket.grant_read(grantee, "items/*")
        self.bucket.grant_read(grantee, "runs/*/tokens/*")
        self.runs.grant(
            grantee,
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:ConditionCheckItem",
        )

    def grant_finish(self, grantee: iam.IGrantable) -> None:
        """Let FinishRun read the run's records and what is published, and write manifest and summary."""
        self.bucket.grant_read(grantee, "runs/*")
        self.bucket.grant_read(grantee, "published/*")
        self.bucket.grant_put(grantee, "runs/*")
        self.runs.grant(
            grantee,
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:BatchWriteItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        )

    def grant_fail(self, grantee: iam.IGrantable) -> None:
        """Let FailRun record that the execution failed."""
        self.runs.grant(grantee, "dynamodb:GetItem", "dynamodb:UpdateItem")

    def grant_stop(self, grantee: iam.IGrantable) -> None:
        """Let StopRun record that an execution was stopped."""
        self.runs.grant(grantee, "dynamodb:GetItem", "dynamodb:DeleteItem")
