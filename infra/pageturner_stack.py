"""The stack: composes the constructs and outputs what people need. It defines no resources of its own."""

from __future__ import annotations

from aws_cdk import Annotations, CfnOutput, CfnResource, Stack
from constructs import Construct

from infra.acknowledge import acknowledge_dependencies
from infra.chains import Chains
from infra.crawl_machine import CrawlMachine
from infra.data_at_rest import encrypt
from infra.function_code import runtime_notice
from infra.functions import Functions
from infra.item_store import ItemStore
from infra.monitoring import Monitoring
from infra.notices import Notices
from infra.page_loop import PageLoop
from infra.publishing import Publishing
from infra.python_function import log_retention
from infra.schedules import Schedules
from infra.settings import SettingError, Settings
from infra.sql import Sql
from infra.stopped_executions import StoppedExecutions
from pageturner import version

# CloudFormation User Guide, "Understand CloudFormation quotas".
_MOST_RESOURCES = 500


class PageturnerStack(Stack):
    """All of Pageturner in one account and region."""

    def __init__(self, scope: Construct, settings: Settings) -> None:
        super().__init__(scope, settings.stack_name, description="Pageturner: turns every page of any AWS API")
        if not settings.emulator and (notice := runtime_notice()):
            Annotations.of(self).add_info_v2("pageturner:python", notice)
        crawls = settings.crawls()
        retention = log_retention(settings.log_retention_days)
        store = ItemStore(self, "Store", settings=settings)
        sql = Sql(self, "Sql", bucket=store.bucket, settings=settings, crawls=crawls)
        notices = Notices(self, "Notices", emails=settings.notice_emails)
        functions = Functions(self, "Functions", settings=settings, crawls=crawls, store=store, notices=notices)
        publishing = Publishing(self, "Publishing", settings=settings, crawls=crawls, store=store, sql=sql)
        page_loop = PageLoop(self, "PageLoop", fetch_page=functions.fetch_page, log_retention=retention)
        crawl_machine = CrawlMachine(
            self,
            "Crawl",
            functions=functions,
            publishing=publishing,
            page_loop=page_loop,
            store=store,
            hand_overs=settings.hand_overs,
            log_retention=retention,
        )
        schedules = Schedules(
            self, "Schedules", crawls=crawls, state_machine=crawl_machine.state_machine, emulator=settings.emulator
        )
        StoppedExecutions(
            self,
            "StoppedExecutions",
            state_machine=crawl_machine.state_machine,
            stop_run=functions.stop_run,
            dead_letters=schedules.dead_letters,
        )
        Chains(
            self,
            "Chains",
            crawls=crawls,
            state_machine=crawl_machine.state_machine,
            dead_letters=schedules.dead_letters,
        )
        monitoring = Monitoring(
            self,
            "Monitoring",
            settings=settings,
            functions=functions,
            publishing=publishing,
            dead_letters=schedules.dead_letters,
            topic=notices.topic,
        )
        for name, value in {
            "CrawlMachineArn": crawl_machine.state_machine.state_machine_arn,
            "PageLoopArn": page_loop.state_machine.state_machine_arn,
            "ItemsBucket": store.bucket.bucket_name,
            "ItemsTable": store.items.table_name,
            "RunsTable": store.runs.table_name,
            "Database": sql.database,
            "WorkGroup": sql.workgroup,
            "NoticesTopic": notices.topic.topic_arn,
            "Dashboard": monitoring.dashboard,
            "DeadLetterQueue": schedules.dead_letters.queue_url,
            "ExternalId": functions.external_id,
            "Version": version.of_code(),
        }.items():
            CfnOutput(self, name, value=value)
        if settings.kms_key:
            encrypt(self, settings.kms_key)
        acknowledge_dependencies(self)
        self._check_size()

    def _check_size(self) -> None:
        """Raise `SettingError` if CloudFormation does not take so much. The CDK would only list types of resources."""
        found = sum(CfnResource.is_cfn_resource(each) for each in self.node.find_all())
        if found > _MOST_RESOURCES:
            raise SettingError(
                f"the stack would have {found} resources, and CloudFormation takes {_MOST_RESOURCES}; each crawl with "
                f'"schedule" or "after" is one: deploy {found - _MOST_RESOURCES} of them as another stack, with a '
                f"stack_name and a catalogue of its own"
            )
