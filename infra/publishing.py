"""The functions that publish what a run listed: as tables, as changes, and as items in DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Size
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.function_code import publishing_code
from infra.item_store import ItemStore
from infra.python_function import PythonFunction
from infra.settings import Settings
from infra.sql import Sql
from pageturner.costs import PUBLISHING_MEMORY_MB
from pageturner.crawls.crawl import Crawl

PUBLISH_TIMEOUT = Duration.minutes(15)
# Where DuckDB puts what does not fit into memory, and both sides of a comparison before they are in S3.
_DISK = Size.gibibytes(4)


class Publishing(Construct):
    """`publish_run` and `publish_part`: one file of ``lambdas/`` each, in an asset that has DuckDB."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        crawls: Mapping[str, Crawl],
        store: ItemStore,
        sql: Sql,
    ) -> None:
        super().__init__(scope, construct_id)
        code = publishing_code(crawls, emulator=settings.emulator)

        def function(name: str, module: str) -> lambda_.Function:
            made = PythonFunction(
                self,
                name,
                module,
                code=code,
                settings=settings,
                store=store,
                # The most that Lambda gives an account that has not asked for more. DuckDB has 1.7 cores with it.
                memory_size=PUBLISHING_MEMORY_MB,
                timeout=PUBLISH_TIMEOUT,
                ephemeral_storage_size=_DISK,
                environment={"DATABASE": sql.database, "MOST_ROWS": str(settings.most_rows)},
            )
            store.grants.publish(made)
            sql.grant_publish(made)
            return made

        self.publish_run = function("PublishRun", "publish_run")
        # Of a listing that is too large for one function: one part of it each.
        self.publish_part = function("PublishPart", "publish_part")
