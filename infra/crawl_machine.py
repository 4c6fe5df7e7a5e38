"""Crawl, the slow gear: a Standard state machine that plans a run, pages each of its targets, and finishes it.

It uses JSONPath throughout.
"""

from __future__ import annotations

from typing import Any, Literal

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra import target_state
from infra.acknowledge import acknowledge
from infra.cdk_grants import acknowledge_children, acknowledge_machine
from infra.functions import PLAN_RUN_TIMEOUT, REPORT_TIMEOUT, Functions, crawl_machine_name, machine_log_group
from infra.invoke_function import invoke_function
from infra.item_store import ItemStore
from infra.long_target import LongTarget
from infra.map_results import MapResults
from infra.page_loop import PageLoop
from infra.publishing import Publishing
from infra.publishing_states import PublishingStates
from infra.retries import EXECUTION_EXISTS, UNREADABLE, retry_always, retry_function
from infra.short_targets import ShortTargets
from pageturner.errors import (
    DeploymentDeniedError,
    InvalidCrawlError,
    OverlapError,
    RunStoppedError,
    RunWouldFailError,
    SinkError,
    StillRunningError,
    ThrottledError,
    TransientError,
)


class CrawlMachine(Construct):
    """`PlanRun` → `AnythingToDo?` → `ShortTargets` → `PlanLongTargets` → `AnyLeft?` → `LongTargets` → `FinishRun` →
    `Continues?` → `PublishRun` → `ReportRun` → `RunComplete?`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        functions: Functions,
        publishing: Publishing,
        page_loop: PageLoop,
        store: ItemStore,
        hand_overs: int,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        plan_run, finish_run = self._plan_run(functions), self._finish_run(functions)
        long_target = LongTarget(self, "LongTarget", page_loop=page_loop, store=store, hand_overs=hand_overs)
        long_targets = self._each(
            "LongTargets", sfn.StateMachineType.STANDARD, store, "targets", target_state.at_first()
        ).item_processor(long_target.start)
        long_targets.add_catch(finish_run, result_path="$.map_error")
        short_targets = self._short_targets(functions, store)
        plan_long_targets = self._plan_long_targets(functions)
        short_targets.add_catch(plan_long_targets, result_path="$.map_error")
        any_left = sfn.Choice(self, "AnyLeft?")
        any_left.when(sfn.Condition.number_greater_than("$.targets.count", 0), long_targets)
        any_left.otherwise(finish_run)

        run_complete = sfn.Choice(self, "RunComplete?")
        run_complete.when(sfn.Condition.string_equals("$.outcome", "succeeded"), sfn.Succeed(self, "RunSucceeded"))
        run_complete.otherwise(self._fail_run(functions).next(plan_run))
        report_run = self._report_run(functions)
        report_run.add_catch(run_complete, result_path=sfn.JsonPath.DISCARD)
        publish = PublishingStates(self, "Publishing", publishing=publishing, then=report_run.next(run_complete))

        anything_to_do = sfn.Choice(self, "AnythingToDo?")
        short_targets.next(plan_long_targets.next(any_left))
        refused = sfn.Succeed(self, "RunRefused", output_path="$.refused")
        anything_to_do.when(sfn.Condition.is_present("$.refused"), refused)
        anything_to_do.when(sfn.Condition.is_present("$.batches"), short_targets)
        anything_to_do.when(sfn.Condition.is_present("$.targets"), long_targets)
        only_publish = sfn.Pass(self, "OnlyPublish", output_path="$.publish").next(publish.start)
        anything_to_do.when(sfn.Condition.is_present("$.publish"), only_publish)
        anything_to_do.otherwise(sfn.Succeed(self, "NothingToDo", output_path="$.nothing_to_do"))
        continues = sfn.Choice(self, "Continues?")
        # There is more to finish than one invocation does.
        continues.when(sfn.Condition.string_equals("$.outcome", "again"), finish_run)
        continues.when(sfn.Condition.string_equals("$.outcome", "continues"), self._continue_run())
        continues.otherwise(publish.start)
        long_targets.next(finish_run)
        finish_run.next(continues)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=crawl_machine_name(self),
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_chainable(plan_run.next(anything_to_do)),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Logs",
                    log_group_name=machine_log_group(crawl_machine_name(self)),
                    retention=log_retention,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        store.grants.crawl(self.state_machine)
        store.keep_pages_from(self.state_machine)
        invoked = [functions.plan_run, functions.plan_long_targets, functions.fetch_page, functions.finish_run]
        invoked += [publishing.publish_run, publishing.publish_part, functions.report_run, functions.fail_run]
        acknowledge_machine(self.state_machine, invoked)
        acknowledge_children(self.state_machine, ["ShortTargets", "LongTargets", "PublishParts"])
        acknowledge(self.state_machine, "SF1", "Step Functions keeps the history of Standard executions itself")

    def _plan_run(self, functions: Functions) -> tasks.LambdaInvoke:
        plan_run = invoke_function(
            self,
            "PlanRun",
            functions.plan_run,
            {
                "input": sfn.JsonPath.entire_payload,
                "execution": {
                    "id": sfn.JsonPath.string_at("$$.Execution.Id"),
                    "started_at": sfn.JsonPath.string_at("$$.Execution.StartTime"),
                    "entered_at": sfn.JsonPath.string_at("$$.State.EnteredTime"),
                },
            },
            timeout=PLAN_RUN_TIMEOUT.plus(Duration.minutes(1)),
            # PlanRun reads services too: accounts, regions, keys, and what a dry run probes.
            own_errors=[SinkError, StillRunningError, ThrottledError, TransientError],
        )
        # An OverlapError is that of a resumption or a redrive: the execution of an incomplete run never succeeds.
        refusals = (DeploymentDeniedError, InvalidCrawlError, OverlapError, RunStoppedError, RunWouldFailError)
        plan_run.add_catch(self._refused(), errors=[*(error.__name__ for error in refusals), UNREADABLE])
        return plan_run

    def _refused(self) -> sfn.Chain:
        """End the execution with the sentence that says what is wrong, without the JSON that Lambda wraps around it."""
        read = sfn.Pass(
            self,
            "ReadRefusal",
            parameters={"refusal": sfn.JsonPath.string_to_json(sfn.JsonPath.string_at("$.Cause"))},
        )
        refused = sfn.Fail(self, "CrawlRefused", error_path="$.refusal.errorType", cause_path="$.refusal.errorMessage")
        return read.next(refused)

    def _short_targets(self, functions: Functions, store: ItemStore) -> sfn.DistributedMap:
        batch = {
            "run": sfn.JsonPath.object_at("$.run"),
            "crawl": sfn.JsonPath.object_at("$.crawl"),
            "targets": sfn.JsonPath.object_at("$$.Map.Item.Value.targets"),
        }
        child = ShortTargets(self, "ShortTargetsChild", fetch_page=functions.fetch_page, store=store)
        return self._each("ShortTargets", sfn.StateMachineType.EXPRESS, store, "batches", batch).item_processor(
            child.start
        )

    def _each(
        self,
        name: str,
        kind: sfn.StateMachineType,
        store: ItemStore,
        file: Literal["batches", "targets"],
        selected: dict[str, Any],
    ) -> sfn.DistributedMap:
        """Return a Map that runs a child execution for each element of a file of PlanRun's."""
        return sfn.DistributedMap(
            self,
            name,
            label=name,
            map_execution_type=kind,
            max_concurrency_path="$.max_concurrency",
            item_reader=sfn.S3JsonItemReader(
                bucket_name_path=sfn.JsonPath.string_at(f"$.{file}.bucket"),
                key=sfn.JsonPath.string_at(f"$.{file}.key"),
            ),
            item_selector=selected,
            # FinishRun judges the run by the verdicts of its targets. One lost child must not end all others.
            tolerated_failure_percentage=100,
            result_writer_v2=MapResults(store.bucket),
            result_path=sfn.JsonPath.DISCARD,
        )

    def _plan_long_targets(self, functions: Functions) -> tasks.LambdaInvoke:
        return invoke_function(
            self,
            "PlanLongTargets",
            functions.plan_long_targets,
            {"run": sfn.JsonPath.object_at("$.run"), "targets": sfn.JsonPath.object_at("$.targets")},
            timeout=PLAN_RUN_TIMEOUT.plus(Duration.minutes(1)),
            own_errors=[SinkError],
            result_path="$.targets",
        )

    def _finish_run(self, functions: Functions) -> tasks.LambdaInvoke:
        return invoke_function(
            self,
            "FinishRun",
            functions.finish_run,
            {
                "run_id": sfn.JsonPath.string_at("$.run.run_id"),
                "generation": sfn.JsonPath.number_at("$.run.generation"),
                "execution": sfn.JsonPath.string_at("$$.Execution.Id"),
                # Those that are left: PlanLongTargets has counted them, or there was nothing that ShortTargets turned.
                "long_targets": sfn.JsonPath.number_at("$.targets.count"),
            },
            timeout=Duration.minutes(16),
            own_errors=[SinkError, ThrottledError, TransientError],
        )

    def _continue_run(self) -> sfn.Chain:
        """Start the next execution of a run that is too long for one.

        A custom state, because a task that starts its own machine would depend on itself. The machine may start itself
        anyway, because the Distributed Map needs that permission.
        """
        start = sfn.CustomState(
            self,
            "ContinueRun",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{Stack.of(self).partition}:states:::states:startExecution",
                "Parameters": {
                    "StateMachineArn.$": "$$.StateMachine.Id",
                    "Input.$": "$.continuation",
                    # Always the same, so that a retry after a lost response starts no second one.
                    "Name.$": "States.Hash($$.Execution.Id, 'SHA-256')",
                },
                # Not None, which jsii drops: the output must be the summary, not the response of startExecution.
                "ResultPath": sfn.JsonPath.DISCARD,
                "TimeoutSeconds": 60,
            },
        )
        continues = sfn.Succeed(self, "RunContinues")
        # It has been started, and has even ended.
        start.add_retry(errors=[EXECUTION_EXISTS], max_attempts=0)
        retry_always(start)
        start.add_catch(continues, errors=[EXECUTION_EXISTS], result_path=sfn.JsonPath.DISCARD)
        return start.next(continues)

    def _report_run(self, functions: Functions) -> tasks.LambdaInvoke:
        """Say what the run came to. Nobody hears of it if that fails, but for an alarm: the run ends as it ended."""
        return invoke_function(
            self,
            "ReportRun",
            functions.report_run,
            {
                "summary": sfn.JsonPath.entire_payload,
                "execution": sfn.JsonPath.string_at("$$.Execution.Id"),
            },
            timeout=REPORT_TIMEOUT.plus(Duration.minutes(1)),
            own_errors=[SinkError, ThrottledError, TransientError],
            result_path=sfn.JsonPath.DISCARD,
        )

    def _fail_run(self, functions: Functions) -> tasks.LambdaInvoke:
        """Fail the execution by its task token, so that the cause is a plain sentence; on a redrive, resume the run."""
        fail_run = tasks.LambdaInvoke(
            self,
            "FailRun",
            lambda_function=functions.fail_run,
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            payload=sfn.TaskInput.from_object(
                {
                    "run_id": sfn.JsonPath.string_at("$.run_id"),
                    "generation": sfn.JsonPath.number_at("$.generation"),
                    "message": sfn.JsonPath.string_at("$.message"),
                    "execution": sfn.JsonPath.string_at("$$.Execution.Id"),
                    "redrives": sfn.JsonPath.number_at("$$.Execution.RedriveCount"),
                    "token": sfn.JsonPath.task_token,
                }
            ),
            task_timeout=sfn.Timeout.duration(Duration.minutes(2)),
            retry_on_service_exceptions=False,
        )
        retry_function(fail_run, [SinkError])
        return fail_run
