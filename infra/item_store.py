"""All storage: the bucket of page objects, the table of items, and the table of runs."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.settings import Settings
from pageturner.stores import keys

# The Distributed Map's own report on its children. The verdicts are in the runs table; this is for troubleshooting.
MAP_RESULTS_PREFIX = "map-results"
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
# What whoever keeps the records of a run does with its table.
_RECORDS = tuple(f"dynamodb:{action}" for action in ("GetItem", "Query", "PutItem", "UpdateItem"))
# What publishing puts.
_PUBLISHED_PREFIXES = ("publishing", "published", "tables", "changes", "comparisons", "summaries")


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
        self.items = self._table("ItemTable", retain_data=retain_data)
        self.runs = self._table("RunTable", retain_data=retain_data)

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

    def grant_plan(self, grantee: iam.IGrantable) -> None:
        """Let PlanRun take the lock, put the targets file, and begin a run or find out how far a resumed run is."""
        self.bucket.grant_put(grantee, "runs/*")
        self.bucket.grant_read(grantee, "runs/*")
        # A token that an execution's input begins with may be too long for the state.
        self.bucket.grant_put(grantee, "tokens/*")
        # The items of another crawl's run, each of which becomes a target.
        self.bucket.grant_read(grantee, "items/*")
        self.runs.grant(grantee, *_RECORDS, "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")

    def grant_plan_long_targets(self, grantee: iam.IGrantable) -> None:
        """Let PlanLongTargets read the records of a run's targets, and put the file with those that are left."""
        self.bucket.grant_put(grantee, "runs/*")
        self.bucket.grant_read(grantee, "runs/*")
        self.runs.grant(grantee, "dynamodb:Query")

    def grant_turn_pages(self, grantee: iam.IGrantable) -> None:
        """Let FetchPage turn pages. It may not delete: a written page stays."""
        self.bucket.grant_put(grantee, "items/*")
        self.bucket.grant_put(grantee, "tokens/*")
        self.bucket.grant_read(grantee, "items/*")
        self.bucket.grant_read(grantee, "tokens/*")
        # Pages whose items lack details.
        self.bucket.grant_put(grantee, "detailing/*")
        self.bucket.grant_read(grantee, "detailing/*")
        # Where an earlier version put them.
        self.bucket.grant_read(grantee, "runs/*/tokens/*")
        self.runs.grant(grantee, *_RECORDS, "dynamodb:ConditionCheckItem")

    def grant_finish(self, grantee: iam.IGrantable) -> None:
        """Let FinishRun read the run's records and what was published before, and write manifest and summary."""
        for prefix in ("runs", "finishing"):
            self.bucket.grant_read(grantee, f"{prefix}/*")
            self.bucket.grant_put(grantee, f"{prefix}/*")
        # The manifest has tokens, not references to them.
        self.bucket.grant_read(grantee, "tokens/*")
        self.bucket.grant_read(grantee, "published/*")
        self.runs.grant(grantee, *_RECORDS, "dynamodb:BatchWriteItem", "dynamodb:DeleteItem")

    def grant_publish(self, grantee: iam.IGrantable) -> None:
        """Let PublishRun and PublishPart hold pages against what is published, and publish. Only they write items."""
        objects = self.bucket.arn_for_objects
        written = [objects(f"{prefix}/*") for prefix in _PUBLISHED_PREFIXES]
        for actions, resources in (
            (["s3:GetObject"], [objects("items/*"), objects("runs/*"), *written]),
            (["s3:PutObject"], written),
            # A superseded publication is marked for its expiry.
            (["s3:PutObjectTagging"], [objects("tables/*")]),
            (["s3:DeleteObject"], [objects("published/*")]),
        ):
            iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=resources)
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["s3:ListBucket"],
            resource_arns=[self.bucket.bucket_arn],
            # "If exists": GetObject has no prefix, and says that an object is not there only to those who may list.
            conditions={"StringLikeIfExists": {"s3:prefix": ["publishing/*", "tables/*"]}},
        )
        self.items.grant(
            grantee,
            "dynamodb:DescribeTable",
            "dynamodb:Query",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        )
        self.runs.grant(grantee, *_RECORDS, "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")

    def grant_crawl(self, grantee: iam.IGrantable) -> None:
        """Let the Crawl machine read the files with targets and parts, record verdicts, and look up pages."""
        self.bucket.grant_read(grantee, "runs/*")
        self.bucket.grant_read(grantee, "publishing/*")
        self.runs.grant(grantee, "dynamodb:PutItem")

    def grant_report(self, grantee: iam.IGrantable) -> None:
        """Let ReportRun read what the run came to, and put its report and the page of all runs."""
        self.bucket.grant_read(grantee, "runs/*")
        self.bucket.grant_put(grantee, "runs/*/report.html")
        self.bucket.grant_put(grantee, "runs/index.html")
        self.runs.grant(grantee, "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem")

    def grant_fail(self, grantee: iam.IGrantable) -> None:
        """Let FailRun record that the execution failed."""
        self.runs.grant(grantee, "dynamodb:GetItem", "dynamodb:UpdateItem")

    def grant_stop(self, grantee: iam.IGrantable) -> None:
        """Let StopRun record that an execution was stopped."""
        self.runs.grant(grantee, "dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")

    def grant_check(self, grantee: iam.IGrantable) -> None:
        """Let CheckCrawls read the history of crawls, and remember who is overdue."""
        partitions = {"dynamodb:LeadingKeys": [keys.STATUS, keys.HISTORY.format("*")]}
        for action, condition in (
            ("dynamodb:Query", {"ForAllValues:StringLike": partitions}),
            ("dynamodb:UpdateItem", {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [keys.STATUS]}}),
        ):
            iam.Grant.add_to_principal(
                grantee=grantee, actions=[action], resource_arns=[self.runs.table_arn], conditions=condition
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
