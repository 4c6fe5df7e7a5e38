from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker

from pageturner import errors
from pageturner.paging import api
from pageturner.paging.error_meanings import THROTTLING_CODES, Sent, from_client_error

NO_TOKEN, UNPROVEN, ACCEPTED = Sent(), Sent(token=True), Sent(token=True, accepted=True)


def client_error(code: str, status: int = 400, operation: str = "ListThings", message: str = "…") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def test_all_of_botocores_throttling_codes_are_ours_too() -> None:
    known: Any = ThrottledRetryableChecker
    assert set(known._THROTTLED_ERROR_CODES) <= THROTTLING_CODES


@pytest.mark.parametrize(
    ("code", "status", "sent", "expected"),
    [
        ("ThrottlingException", 400, NO_TOKEN, errors.ThrottledError),
        ("ThrottledClientException", 400, ACCEPTED, errors.ThrottledError),
        ("SlowDown", 503, NO_TOKEN, errors.ThrottledError),
        ("LimitExceededException", 400, ACCEPTED, errors.ThrottledError),
        ("Anything", 429, NO_TOKEN, errors.ThrottledError),
        ("ExpiredNextTokenException", 400, UNPROVEN, errors.TokenInvalidError),
        ("InvalidNextToken", 400, ACCEPTED, errors.TokenInvalidError),
        ("InvalidNextToken", 400, NO_TOKEN, errors.InvalidRequestError),
        ("ValidationException", 400, UNPROVEN, errors.TokenInvalidError),
        ("ValidationException", 400, NO_TOKEN, errors.InvalidRequestError),
        ("Unheard", 400, ACCEPTED, errors.TokenInvalidError),
        ("Unheard", 400, UNPROVEN, errors.InvalidRequestError),
        ("PermanentRedirect", 301, ACCEPTED, errors.InvalidRequestError),
        ("ExpiredToken", 403, ACCEPTED, errors.TransientError),
        ("RequestTimeTooSkewed", 403, NO_TOKEN, errors.TransientError),
        ("InvalidToken", 400, ACCEPTED, errors.AccessDeniedError),
        ("InternalError", 500, NO_TOKEN, errors.TransientError),
        ("Unheard", 503, ACCEPTED, errors.TransientError),
        ("RequestTimeout", 400, ACCEPTED, errors.TransientError),
        ("OperationAborted", 409, ACCEPTED, errors.TransientError),
        ("AccessDenied", 403, ACCEPTED, errors.AccessDeniedError),
        ("UnauthorizedOperation", 403, NO_TOKEN, errors.AccessDeniedError),
        ("Unheard", 403, NO_TOKEN, errors.AccessDeniedError),
        ("NoSuchBucket", 404, ACCEPTED, errors.NotFoundError),
        # EC2 API Reference, "Error codes".
        ("OperationNotPermitted", 400, NO_TOKEN, errors.AccessDeniedError),
        ("PendingVerification", 400, ACCEPTED, errors.AccessDeniedError),
        ("FilterLimitExceeded", 400, NO_TOKEN, errors.InvalidRequestError),
        ("AccessToEverythingDeniedFault", 400, ACCEPTED, errors.AccessDeniedError),
        ("UnknownOperationException", 404, NO_TOKEN, errors.InvalidRequestError),
    ],
)
def test_a_code_that_no_model_declares(
    code: str, status: int, sent: Sent, expected: type[errors.PageturnerError]
) -> None:
    error = from_client_error(client_error(code, status), sent=sent)
    assert type(error) is expected
    assert code in str(error)


@pytest.mark.parametrize(
    ("service", "operation", "code", "status", "sent", "expected"),
    [
        # GuardDuty has one client error, for tokens too.
        ("guardduty", "list_findings", "BadRequestException", 400, ACCEPTED, errors.TokenInvalidError),
        ("guardduty", "list_findings", "BadRequestException", 400, NO_TOKEN, errors.InvalidRequestError),
        # "The request was denied due to request throttling", by its documentation or the retryable trait.
        ("dynamodb", "scan", "RequestLimitExceeded", 400, NO_TOKEN, errors.ThrottledError),
        ("mediapackagev2", "list_channels", "AccessDeniedException", 403, NO_TOKEN, errors.AccessDeniedError),
        # Quotas of resources, of which only the pace can matter to a list.
        ("amplify", "list_apps", "LimitExceededException", 429, NO_TOKEN, errors.TransientError),
        ("kinesis", "list_streams", "LimitExceededException", 400, NO_TOKEN, errors.ThrottledError),
        # The server's fault by the model alone: it is answered with HTTP 400.
        ("organizations", "list_accounts", "ServiceException", 400, ACCEPTED, errors.TransientError),
        ("stepfunctions", "list_executions", "InvalidToken", 400, ACCEPTED, errors.TokenInvalidError),
        # Only the documentation says that the caller lacks permissions.
        ("swf", "list_activity_types", "OperationNotPermittedFault", 400, ACCEPTED, errors.AccessDeniedError),
        ("redshift", "describe_cluster_snapshots", "AccessToSnapshotDenied", 400, NO_TOKEN, errors.AccessDeniedError),
        # It can be that, or something else.
        ("batch", "describe_compute_environments", "ClientException", 400, NO_TOKEN, errors.InvalidRequestError),
        ("iam", "get_credential_report", "ReportNotPresent", 410, NO_TOKEN, errors.NotFoundError),
        ("ce", "get_anomaly_monitors", "UnknownMonitorException", 400, NO_TOKEN, errors.NotFoundError),
        ("ce", "get_anomaly_subscriptions", "UnknownSubscriptionException", 400, ACCEPTED, errors.NotFoundError),
        ("sqs", "list_dead_letter_source_queues", "QueueDoesNotExist", 400, ACCEPTED, errors.NotFoundError),
    ],
)
def test_a_code_that_the_model_declares(
    service: str, operation: str, code: str, status: int, sent: Sent, expected: type[errors.PageturnerError]
) -> None:
    model = api.operation_model(service, operation)
    assert type(from_client_error(client_error(code, status, model.name), model, sent)) is expected


def test_a_queue_that_is_gone_under_both_of_its_names() -> None:
    model = api.operation_model("sqs", "list_dead_letter_source_queues")
    answer: Any = {"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue", "QueryErrorCode": "QueueDoesNotExist"}}
    assert type(from_client_error(ClientError(answer, model.name), model, ACCEPTED)) is errors.NotFoundError


def test_a_throttle_that_only_the_message_tells() -> None:
    error = client_error("ClientException", message="Too Many Requests")
    assert type(from_client_error(error, sent=ACCEPTED)) is errors.ThrottledError


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Query has not yet finished. Current state: QUEUED", errors.StillRunningError),
        ("Query has not yet finished. Current state: RUNNING", errors.StillRunningError),
        ("Query did not finish successfully. Final query state: FAILED", errors.InvalidRequestError),
    ],
)
def test_a_query_of_athena_that_only_the_message_tells(said: str, expected: type[errors.PageturnerError]) -> None:
    model = api.operation_model("athena", "get_query_results")
    error = client_error("InvalidRequestException", operation=model.name, message=said)
    assert type(from_client_error(error, model, NO_TOKEN)) is expected


def test_the_states_of_a_query_of_athena_are_known() -> None:
    states: Any = api.service_model("athena").shape_for("QueryExecutionState")
    assert states.enum == ["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]


def test_the_error_of_another_operation_is_not_about_the_token() -> None:
    model = api.operation_model("s3", "list_objects_v2")
    error = client_error("ValidationError", operation="AssumeRole")
    assert type(from_client_error(error, model, ACCEPTED)) is errors.InvalidRequestError
