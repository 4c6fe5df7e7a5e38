"""What each role may do with the bucket and both tables: the actions that it needs, on what it works on.

IAM knows the prefix of an object, and the partition of a row ("Using IAM policy conditions for fine-grained access
control", DynamoDB Developer Guide). It does not know which run a function works for: the same function serves all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra.grants import grant
from pageturner.stores import keys

# The Distributed Map's own report on its children. The verdicts are in the runs table; this is for troubleshooting.
MAP_RESULTS_PREFIX = "map-results"
# What PlanRun puts, and what the Distributed Map reads: the targets, and the same targets in batches.
_PLANNED = ("runs/*/targets*.json", "runs/*/batches*.json")
_LEFT = "runs/*/long-targets*.json"
# A manifest can have parts.
_MANIFESTS = ("runs/*/manifest.json", "runs/*/manifest-*/*")
# An earlier version put tokens beside the targets.
_TOKENS = ("tokens/*", "runs/*/tokens/*")
# What publishing puts.
_PUBLISHED = tuple(
    f"{prefix}/*" for prefix in ("publishing", "published", "tables", "changes", "comparisons", "summaries")
)
_READS_AND_WRITES = ("GetObject", "PutObject")
_ALL_RUNS = "it works for all runs, and each has files of its own"
# Step Functions Developer Guide, "IAM policies for using Distributed Map states": of a ResultWriter.
_WRITES_RESULTS = ("PutObject", "GetObject", "ListMultipartUploadParts", "AbortMultipartUpload")
# Only the record of a page has these attributes; and a verdict of the machine's has no others than those.
_OF_A_PAGE = ("key", "fetched_at")
_OF_A_VERDICT = ("pk", "sk", "verdict", "error", "cause", "patience", "expires_at")
_PARTITION, _ATTRIBUTES = "dynamodb:LeadingKeys", "dynamodb:Attributes"
_WRITES = ("PutItem", "UpdateItem", "BatchWriteItem")


class StoreGrants:
    """Grants, a method a role."""

    def __init__(self, bucket: s3.IBucket, items: dynamodb.ITableV2, runs: dynamodb.ITableV2) -> None:
        self._bucket = bucket
        self._items = items
        self._runs = runs

    def plan(self, grantee: iam.IGrantable) -> None:
        """Let PlanRun take the lock, put the targets file, and begin a run or find out how far a resumed run is."""
        self._objects(grantee, _READS_AND_WRITES, *_PLANNED, because=_ALL_RUNS)
        too_long = "a token that an execution's input begins with may be too long for the state, and has an object"
        self._objects(grantee, ["PutObject"], "tokens/*", because=too_long)
        items = "the items of another crawl's run, whichever crawl a for_each names, become targets"
        self._objects(grantee, ["GetObject"], "items/*", because=items)
        self._tell_what_is_missing(grantee)
        self._rows(
            grantee,
            {
                keys.RUN: ("GetItem", "Query", "PutItem", "UpdateItem", "ConditionCheckItem"),
                keys.EXECUTION: ("GetItem", "PutItem", "DeleteItem"),
                keys.LOCK: ("GetItem", "PutItem", "DeleteItem"),
                keys.TRIGGER: ("GetItem", "PutItem"),
                keys.LATEST: ("GetItem",),
                keys.HISTORY: ("UpdateItem",),
                keys.STATUS: ("UpdateItem",),
            },
        )
        self._never_writes(grantee, *_OF_A_PAGE, "verdict", "comparison", "published")

    def plan_long_targets(self, grantee: iam.IGrantable) -> None:
        """Let PlanLongTargets read the records of a run's targets, and put the file with those that are left."""
        self._objects(grantee, _READS_AND_WRITES, _LEFT, because=_ALL_RUNS)
        self._objects(grantee, ["GetObject"], "runs/*/targets*.json", because=_ALL_RUNS)
        self._tell_what_is_missing(grantee)
        self._rows(grantee, {keys.RUN: ("Query",)})

    def turn_pages(self, grantee: iam.IGrantable) -> None:
        """Let FetchPage turn pages. It may not delete: a written page stays."""
        pages = "it turns the pages of all crawls; in detailing/ are those whose items lack details yet"
        self._objects(grantee, _READS_AND_WRITES, "items/*", "detailing/*", because=pages)
        tokens = "a token of any run may be too long for the state, and has an object, named by its hash"
        self._objects(grantee, ["PutObject"], "tokens/*", because=tokens)
        self._objects(grantee, ["GetObject"], *_TOKENS, because=tokens)
        self._tell_what_is_missing(grantee)
        self._rows(
            grantee,
            {
                keys.RUN: ("GetItem", "Query", "PutItem", "UpdateItem", "ConditionCheckItem"),
                keys.PACE: ("GetItem", "UpdateItem"),
                # A redriven execution drives its run again.
                keys.EXECUTION: ("GetItem", "PutItem"),
                keys.LOCK: ("GetItem", "PutItem"),
            },
        )
        self._never_writes(grantee, "verdict", "comparison", "summary", "published")

    def finish(self, grantee: iam.IGrantable) -> None:
        """Let FinishRun read the run's records and what was published before, and write manifest and summary."""
        self._objects(grantee, _READS_AND_WRITES, *_MANIFESTS, "finishing/*", because=_ALL_RUNS)
        self._objects(grantee, ["GetObject"], "runs/*/targets.json", because=_ALL_RUNS)
        tokens = "the manifest of any run has the tokens themselves, whose objects are named by their hashes"
        self._objects(grantee, ["GetObject"], *_TOKENS, because=tokens)
        before = "it judges the runs of all crawls by what is published of the crawl"
        self._objects(grantee, ["GetObject"], "published/*", because=before)
        self._tell_what_is_missing(grantee)
        self._rows(
            grantee,
            {
                keys.RUN: ("GetItem", "Query", "UpdateItem", "BatchWriteItem"),
                keys.EXECUTION: ("PutItem", "DeleteItem"),
                keys.LOCK: ("UpdateItem",),
                keys.LATEST: ("PutItem",),
                keys.PUBLISHED: ("GetItem",),
                keys.HISTORY: ("UpdateItem",),
                keys.STATUS: ("UpdateItem",),
            },
        )
        self._never_writes(grantee, *_OF_A_PAGE, "verdict", "published")

    def publish(self, grantee: iam.IGrantable) -> None:
        """Let PublishRun and PublishPart hold pages against what is published, and publish. Only they write items."""
        published = "it publishes all crawls, and its objects are named by the crawl and the publication or run"
        self._objects(grantee, _READS_AND_WRITES, *_PUBLISHED, because=published)
        self._objects(grantee, ["GetObject"], *_MANIFESTS, because=_ALL_RUNS)
        self._objects(grantee, ["GetObject"], "items/*", because="what is published of any crawl comes from its pages")
        marked = "a superseded publication, of any crawl, is marked for its expiry"
        self._objects(grantee, ["PutObjectTagging"], "tables/*", because=marked)
        replaced = "what was published of any crawl before goes once something newer is"
        self._objects(grantee, ["DeleteObject"], "published/*", because=replaced)
        self._tell_what_is_missing(grantee)
        table = ("DescribeTable", "Query", "PutItem", "UpdateItem", "DeleteItem")
        self._items.grant(grantee, *_actions("dynamodb", table))
        self._rows(
            grantee,
            {
                keys.RUN: ("GetItem", "UpdateItem"),
                keys.PUBLISHED: ("GetItem", "PutItem", "UpdateItem"),
                keys.FENCE: ("UpdateItem",),
                keys.LOCK: ("DeleteItem",),
            },
        )
        # Of the fence, in transactions with rows of the items table: which partitions IAM sees then is not documented.
        self._runs.grant(grantee, "dynamodb:ConditionCheckItem")
        self._never_writes(grantee, *_OF_A_PAGE, "verdict", "comparison", "summary")

    def crawl(self, grantee: iam.IGrantable) -> None:
        """Let the Crawl machine read the files with targets and parts, record verdicts, and look up pages.

        The CDK lets its tasks put and query all rows, with no condition: what is too much of that is denied.
        """
        self._objects(grantee, ["GetObject"], *_PLANNED, _LEFT, "publishing/*", because=_ALL_RUNS)
        results = "Step Functions names what it writes by the Map Run, of which each execution has others"
        self._objects(grantee, _WRITES_RESULTS, f"{MAP_RESULTS_PREFIX}/*", because=results)
        of_runs = [keys.RUN.format("*")]
        self._deny_rows(grantee, ("PutItem", "Query"), {"ForAnyValue:StringNotLike": {_PARTITION: of_runs}})
        self._deny_rows(grantee, ("PutItem",), {"ForAnyValue:StringNotEquals": {_ATTRIBUTES: [*_OF_A_VERDICT]}})

    def report(self, grantee: iam.IGrantable) -> None:
        """Let ReportRun read what the run came to, and put its report and the page of all runs."""
        put = ("runs/*/report.html", keys.INDEX)
        self._objects(grantee, _READS_AND_WRITES, *put, because=_ALL_RUNS)
        self._objects(grantee, ["GetObject"], *_MANIFESTS, because=_ALL_RUNS)
        self._tell_what_is_missing(grantee)
        self._rows(
            grantee,
            {
                keys.RUN: ("GetItem",),
                keys.HISTORY: ("GetItem", "Query", "UpdateItem"),
                keys.STATUS: ("Query", "UpdateItem"),
            },
        )

    def fail(self, grantee: iam.IGrantable) -> None:
        """Let FailRun record that the execution failed."""
        self._rows(grantee, {keys.RUN: ("GetItem", "UpdateItem")})
        self._never_writes(grantee, *_OF_A_PAGE, "verdict", "comparison", "summary", "published")

    def stop(self, grantee: iam.IGrantable) -> None:
        """Let StopRun record that an execution was stopped."""
        self._rows(
            grantee,
            {
                keys.RUN: ("GetItem",),
                keys.EXECUTION: ("GetItem", "DeleteItem"),
                keys.HISTORY: ("GetItem", "UpdateItem"),
                keys.STATUS: ("UpdateItem",),
            },
        )

    def check(self, grantee: iam.IGrantable) -> None:
        """Let CheckCrawls read the history of crawls, and remember who is overdue."""
        self._rows(grantee, {keys.HISTORY: ("Query",), keys.STATUS: ("Query", "UpdateItem")})

    def _objects(self, grantee: iam.IGrantable, actions: Sequence[str], *patterns: str, because: str) -> None:
        arns = [self._bucket.arn_for_objects(pattern) for pattern in patterns]
        grant(grantee, _actions("s3", actions), arns, because=because)

    def _tell_what_is_missing(self, grantee: iam.IGrantable) -> None:
        """Let a role hear that an object is not there: S3 says so only to who may list (API Reference, "GetObject").

        Such a request has no prefix. No function lists the bucket.
        """
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["s3:ListBucket"],
            resource_arns=[self._bucket.bucket_arn],
            conditions={"Null": {"s3:prefix": "true"}},
        )

    def _rows(self, grantee: iam.IGrantable, partitions: Mapping[str, Sequence[str]]) -> None:
        """Let a role do things with rows of the runs table, by partition."""
        of_action: dict[str, list[str]] = {}
        for template, actions in partitions.items():
            for action in actions:
                of_action.setdefault(action, []).append(template.format("*"))
        for patterns in dict.fromkeys(map(tuple, of_action.values())):
            iam.Grant.add_to_principal(
                grantee=grantee,
                actions=_actions("dynamodb", [action for action, on in of_action.items() if tuple(on) == patterns]),
                resource_arns=[self._runs.table_arn],
                conditions={"ForAllValues:StringLike": {_PARTITION: list(patterns)}},
            )

    def _never_writes(self, grantee: iam.IGrantable, *attributes: str) -> None:
        """Deny a role what others record of a run, although it writes other records of runs itself."""
        conditions = {
            "ForAnyValue:StringLike": {_PARTITION: [keys.RUN.format("*")]},
            "ForAnyValue:StringEquals": {_ATTRIBUTES: [*attributes]},
        }
        self._deny_rows(grantee, _WRITES, conditions)

    def _deny_rows(self, grantee: iam.IGrantable, actions: Sequence[str], conditions: Mapping[str, Any]) -> None:
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=_actions("dynamodb", actions),
                resources=[self._runs.table_arn],
                conditions=conditions,
            )
        )


def _actions(service: str, names: Sequence[str]) -> list[str]:
    return [f"{service}:{name}" for name in names]
