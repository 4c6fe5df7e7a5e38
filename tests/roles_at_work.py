"""What IAM would be asked when handlers work: every request about what is Pageturner's own, by the function's role."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.asked_of_iam import asked, missing
from tests.conftest import shared_client
from tests.iam import Ask

ROLES = {
    "check_crawls": "CheckCrawls",
    "fail_run": "FailRun",
    "fetch_page": "FetchPage",
    "finish_run": "FinishRun",
    "plan_long_targets": "PlanLongTargets",
    "plan_run": "PlanRun",
    "publish_part": "PublishPart",
    "publish_run": "PublishRun",
    "report_run": "ReportRun",
    "stop_run": "StopRun",
}

# What handlers do for their own work, besides with objects and rows; all else is crawled.
_OWN_WORK = {
    "events": {"PutEvents"},
    "glue": {"BatchCreatePartition", "CreateTable", "GetTable", "UpdateTable"},
    "sns": {"Publish"},
    "stepfunctions": {"DescribeExecution", "SendTaskFailure", "SendTaskSuccess"},
}


@contextmanager
def asked_by_handlers() -> Iterator[list[Ask]]:
    """Yield a list that has, at the end, what IAM would have been asked meanwhile, each once.

    It is judged afterwards: what handlers do can depend on how long it takes.
    """
    acting: list[str] = []
    found: dict[str, Ask] = {}
    all_of_them: list[Ask] = []
    make = BaseClient._make_api_call  # type: ignore[attr-defined]

    def make_api_call(client: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        of_objects_or_rows = service == "dynamodb" or (service == "s3" and "Key" in parameters)
        of_a_test = client is shared_client(service) if service in ("dynamodb", "s3") else False
        if not acting or of_a_test or not (of_objects_or_rows or operation in _OWN_WORK.get(service, ())):
            return make(client, operation, parameters)
        role = acting[-1]
        found.update((str(ask), ask) for ask in asked(role, service, operation, parameters))
        try:
            return make(client, operation, parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                found.update((str(ask), ask) for ask in missing(role, service, parameters))
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", make_api_call)
        for name, role in ROLES.items():
            module = importlib.import_module(name)
            patch.setattr(module, "handler", _acting(module.handler, role, acting))
        yield all_of_them
    all_of_them.extend(found.values())


def _acting(handler: Any, role: str, acting: list[str]) -> Any:
    def act(event: Any, context: Any) -> Any:
        acting.append(role)
        try:
            return handler(event, context)
        finally:
            acting.pop()

    return act
