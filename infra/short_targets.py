"""The child execution of ShortTargets: it turns the first pages of a few targets, one target after another.

It is an Express execution, which costs a tenth of a Standard one. Most targets end here. Whatever does not, because it
is long, throttled or interrupted, is left to LongTargets, which goes on from the checkpoint. So nothing here may be
final but a page, and a verdict that no further attempt would change.
"""

from __future__ import annotations

from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra import target_state
from infra.item_store import ItemStore
from infra.page_states import PageStates
from infra.verdict_states import VerdictStates


class ShortTargets(Construct):
    """`EachOfBatch`: for each target `PageStates`, then `ShortEnded`, or a verdict. `start` is its first state."""

    def __init__(self, scope: Construct, construct_id: str, *, fetch_page: lambda_.IFunction, store: ItemStore) -> None:
        super().__init__(scope, construct_id)
        # Also if it is not at its end: PlanLongTargets finds out. The outputs of all targets must be small.
        ended = sfn.Pass(self, "ShortEnded", result=sfn.Result.from_object({}))
        verdicts = VerdictStates(self, "Verdicts", runs=store.runs, failure="$.failure", prefix="Short", once=True)
        # Another execution, of which this one may be a late copy, may have come to another verdict.
        verdicts.record_verdict.add_catch(ended, result_path=sfn.JsonPath.DISCARD)
        verdicts.record_verdict.next(ended)
        what_failed = sfn.Choice(self, "WhatFailedShort?")
        verdicts.add_final(what_failed)
        what_failed.otherwise(ended)
        pages = PageStates(
            self,
            "Pages",
            fetch_page=fetch_page,
            then=ended,
            failed=what_failed,
            more={"share": sfn.JsonPath.number_at("$.share")},
        )
        self.start = sfn.Map(
            self,
            "EachOfBatch",
            items_path="$.targets",
            item_selector=target_state.at_first() | {"share": sfn.JsonPath.number_at("$$.Map.Item.Value.share")},
            # What runs at once is the number of these executions.
            max_concurrency=1,
        ).item_processor(pages.start)
