"""All storage: the bucket of page objects, the table of items, and the table of runs."""

from __future__ import annotations

from aws_cdk import Annotations, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.settings import Settings
from infra.store_grants import MAP_RESULTS_PREFIX, StoreGrants

ATHENA_RESULTS_PREFIX = "athena-results"
# Days for which things are kept that only troubleshooting needs, or nobody once they are used.
_MAP_RESULTS_DAYS = 30
_ATHENA_RESULTS_DAYS = 7
_PUBLISHING_DAYS = 30
_FINISHING_DAYS = 30
_DETAILING_DAYS = 30
# For how long what was overwritten or deleted can be brought back. runs/index.html has a version more with each run.
_NONCURRENT_DAYS = 14
# As long as the records of the run, which refer to them.
_TOKEN_DAYS = 400


class ItemStore(Construct):
    """The bucket is the record. The tables are its index (runs) and a projection of it (items).

    What is retained can also be brought back: no function may delete a version of an object, a table, or its backups.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        retain_data = settings.retain_data
        removal_policy = RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY
        self.bucket = s3.Bucket(
            self,
            "Items",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=retain_data,
            server_access_logs_bucket=_access_logs_bucket(self, settings),
            server_access_logs_prefix=f"{settings.stack_name}/" if settings.access_logs_bucket else None,
            lifecycle_rules=_lifecycle_rules(settings),
            removal_policy=removal_policy,
            auto_delete_objects=not retain_data,
        )
        if settings.access_logs_bucket:
            # The bucket is somebody else's, and docs/deploying.md has what its policy needs.
            Annotations.of(self.bucket).acknowledge_warning("@aws-cdk/aws-s3:accessLogsPolicyNotAdded")
        else:
            acknowledge(self.bucket, "S1", "whoever has to keep access logs names a bucket for them")
        self.items = self._table("ItemTable", retain_data=retain_data)
        self.runs = self._table("RunTable", retain_data=retain_data)
        self.grants = StoreGrants(self.bucket, self.items, self.runs)
        self._keep_pages()

    def _keep_pages(self) -> None:
        """Let nobody replace a page: whoever puts one says that there must be none yet, as FetchPage always does.

        S3 User Guide, "Enforce conditional writes on Amazon S3 buckets": the parts of an upload cannot say so, but what
        completes it does.
        """
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid="PagesAreNotReplaced",
                effect=iam.Effect.DENY,
                actions=["s3:PutObject"],
                principals=[iam.AnyPrincipal()],
                resources=[self.bucket.arn_for_objects("items/*")],
                conditions={"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
            )
        )

    def keep_pages_from(self, role: iam.IGrantable) -> None:
        """Never let a role of the deployment delete a page, whatever its own policies come to allow.

        People and lifecycle rules can: a page may have to go. The CDK makes one statement of those of all roles.
        """
        self.bucket.add_to_resource_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
                principals=[role.grant_principal],
                resources=[self.bucket.arn_for_objects("items/*")],
            )
        )

    def _table(self, construct_id: str, *, retain_data: bool) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            construct_id,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            # Of a run's records, and of items that a crawl with `time_to_live` has marked as stale.
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=retain_data
            ),
            deletion_protection=retain_data,
            removal_policy=RemovalPolicy.RETAIN if retain_data else RemovalPolicy.DESTROY,
        )


def _access_logs_bucket(scope: Construct, settings: Settings) -> s3.IBucket | None:
    if not settings.access_logs_bucket:
        return None
    return s3.Bucket.from_bucket_name(scope, "AccessLogs", settings.access_logs_bucket)


def _lifecycle_rules(settings: Settings) -> list[s3.LifecycleRule]:
    """The rules of the bucket. What `published/` and the current publications have never expires."""
    rules = [
        s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(1)),
        # Also where the bucket was versioned before, and is no longer.
        s3.LifecycleRule(
            noncurrent_version_expiration=Duration.days(_NONCURRENT_DAYS), expired_object_delete_marker=True
        ),
        *(
            s3.LifecycleRule(prefix=f"{prefix}/", expiration=Duration.days(days))
            for prefix, days in (
                (MAP_RESULTS_PREFIX, _MAP_RESULTS_DAYS),
                (ATHENA_RESULTS_PREFIX, _ATHENA_RESULTS_DAYS),
                ("detailing", _DETAILING_DAYS),
                ("finishing", _FINISHING_DAYS),
                ("publishing", _PUBLISHING_DAYS),
                ("comparisons", _PUBLISHING_DAYS),
                ("tokens", _TOKEN_DAYS),
                ("items", settings.page_retention_days),
                ("changes", settings.changes_retention_days),
                ("runs", settings.run_retention_days),
                ("summaries", settings.run_retention_days),
            )
            if days
        ),
    ]
    if days := settings.history_retention_days:
        # Publishing tags what it supersedes: the table of a crawl is in one of these folders.
        superseded = {"superseded": "true"}
        rules.append(s3.LifecycleRule(prefix="tables/", tag_filters=superseded, expiration=Duration.days(days)))
    return rules
