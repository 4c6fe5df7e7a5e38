"""Where everything is kept: the bucket of page objects, the table of items, and the table of runs."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

# The Distributed Map's own account of its children. The verdicts are in the runs table; this is for investigation.
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
        """What PlanRun does: it locks, puts the targets file, and begins the run, or looks how far it is."""
        self.bucket.grant_put(grantee, "runs/*")
        self.bucket.grant_read(grantee, "runs/*")
        # The items of another crawl's run, for each of which there is to be a target.
        self.bucket.grant_read(grantee, "items/*")
        self.runs.grant(
            grantee,
            "dynamodb:PutItem",
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        )

    def grant_turn_pages(self, grantee: iam.IGrantable) -> None:
        """What FetchPage does. Not deleting: a page, once written, stays."""
        self.bucket.grant_put(grantee, "items/*")
        self.bucket.grant_put(grantee, "runs/*/tokens/*")
        self.bucket.grant_read(grantee, "items/*")
        self.bucket.grant_read(grantee, "runs/*/tokens/*")
        self.items.grant(grantee, "dynamodb:BatchWriteItem")
        self.runs.grant(grantee, "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem")

    def grant_sweep(self, grantee: iam.IGrantable) -> None:
        """What SweepItems does: it alone may remove items."""
        self.items.grant(grantee, "dynamodb:Query", "dynamodb:DeleteItem", "dynamodb:UpdateItem")
        self.runs.grant(grantee, "dynamodb:Query", "dynamodb:PutItem")

    def grant_finish(self, grantee: iam.IGrantable) -> None:
        """What FinishRun does: it reads the run's records, and writes what they come to."""
        self.bucket.grant_read(grantee, "runs/*")
        self.bucket.grant_put(grantee, "runs/*")
        self.runs.grant(
            grantee,
            "dynamodb:GetItem",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        )

    def grant_fail(self, grantee: iam.IGrantable) -> None:
        """What FailRun does: it records that the execution failed."""
        self.runs.grant(grantee, "dynamodb:UpdateItem")
