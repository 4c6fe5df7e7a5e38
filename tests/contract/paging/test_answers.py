"""What answers say about themselves, over the models of all services, and bodies that are not the service's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from pageturner.paging import answers, api, bodies, pagination
from pageturner.paging.paginators import paginator_of


@cache
def paged() -> list[tuple[str, str, OperationModel, dict[str, Any]]]:
    """Every operation that takes a token: with botocore's paginator, an inferred one, or one to be completed."""
    return [
        (service, operation, api.operation_model(service, operation), definition)
        for service in api.service_names()
        for operation in api.operation_names(service)
        if "input_token" in (definition := dict(paginator_of(service, operation, {}).definition))
    ]


def test_every_word_that_says_there_is_more_is_known() -> None:
    """All booleans that are `more_results` of botocore's paginators, and others of the same kind."""
    declared = found = 0
    for service, operation, model, definition in paged():
        paths = [".".join(path) for path, _ in answers._completeness(model)]
        found += bool(paths)
        if more_results := definition.get("more_results"):
            declared += 1
            assert more_results in paths, f"{service} {operation}"
    assert (declared, found) == (85, 91)


def test_the_operations_that_can_have_errors_beside_their_items() -> None:
    found = {
        (service, operation): [
            path
            for path in map(".".join, answers.error_members(model))
            if "result_key" not in definition or path not in pagination.result_keys(definition)
        ]
        for service, operation, model, definition in paged()
    }
    beside = {name: paths for name, paths in found.items() if paths}
    assert len(beside) == 30
    assert beside["resource-groups", "search_resources"] == ["QueryErrors"]
    assert beside["xray", "batch_get_traces"] == ["UnprocessedTraceIds"]
    assert beside["health", "describe_affected_entities_for_organization"] == ["failedSet"]
    assert beside["compute-optimizer", "get_ebs_volume_recommendations"] == ["errors"]
    # Their items are failures.
    assert not {("cloudtrail", "list_import_failures"), ("ivs", "list_failover_slate_configurations")} & beside.keys()


def test_the_operations_whose_listing_is_made_by_work_that_may_still_run() -> None:
    found = {(service, operation) for service, operation, model, _ in paged() if answers._statuses(model)}
    assert len(found) == 46
    assert {
        ("logs", "get_query_results"),
        ("cloudtrail", "get_query_results"),
        ("rekognition", "get_label_detection"),
        ("textract", "get_document_analysis"),
        ("ecr", "describe_image_scan_findings"),
        ("iam", "get_service_last_accessed_details"),
    } <= found
    # A filter that the answer repeats, and the status of a resource.
    assert not {("transcribe", "list_vocabularies"), ("ec2", "get_capacity_reservation_usage")} & found
    assert ("transcribe", "list_transcription_jobs") not in found


BODIES = {
    "nothing": b"",
    "white space": b" \n",
    "a page of a proxy": b"<html><body><h1>Service unavailable</h1></body></html>",
    "plain text": b"upstream connect error",
    "a cut JSON document": b'{"nextToken": "a", "items": [{',
    "a cut XML document": b"<ListResponse><Items><member>",
    "somebody else's JSON": b'{"message": "Internal error", "status": 200}',
    "somebody else's XML": b"<Error><Code>InternalError</Code></Error>",
    "a feed": b"<rss><channel>x</channel></rss>",
    "an error without its status": b'{"__type": "InternalFailure"}',
}
OPERATIONS = [
    ("json", "logs", "describe_log_groups", {}),
    ("json", "dynamodb", "list_tables", {}),
    ("json", "sqs", "list_queues", {}),
    ("rest-json", "lambda", "list_functions", {}),
    ("rest-json", "apigateway", "get_rest_apis", {}),
    ("rest-xml", "s3", "list_objects_v2", {"Bucket": "b"}),
    ("rest-xml", "route53", "list_hosted_zones", {}),
    ("rest-xml", "cloudfront", "list_distributions", {}),
    ("query", "iam", "list_roles", {}),
    ("query", "sns", "list_topics", {}),
    ("ec2", "ec2", "describe_instances", {}),
    ("json", "cloudwatch", "list_metrics", {}),
    ("smithy-rpc-v2-cbor", "eventbridgev2", "list_event_buses", {}),
]


def call(service: str, operation: str, parameters: dict[str, Any], body: bytes) -> Any:
    """Call a real client whose every request is answered with HTTP 200 and `body`."""
    client: Any = boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield body

    def answered(request: Any, **_: Any) -> AWSResponse:
        headers = {"smithy-protocol": "rpc-v2-cbor"} if service == "eventbridgev2" else {}
        return AWSResponse(request.url, 200, headers, Raw())  # type: ignore[arg-type]

    client.meta.events.register("before-send", answered)
    client.meta.events.register("before-parse", bodies.check_cbor)
    client.meta.events.register("after-call", bodies.check_body)
    return getattr(client, operation)(**parameters)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("protocol", "service", "operation", "parameters"), OPERATIONS)
def test_a_body_that_is_not_the_services_is_an_error_in_every_protocol(
    protocol: str, service: str, operation: str, parameters: dict[str, Any], body: str
) -> None:
    assert api.service_model(service).resolved_protocol == protocol
    # S3's own check of such bodies makes them an HTTP 500; botocore misses the wrapper of a query result.
    with pytest.raises((ResponseParserError, ClientError, KeyError)):
        call(service, operation, parameters, BODIES[body])


EMPTY = {
    "json": b"{}",
    "rest-json": b"{}",
    "rest-xml": b'<?xml version="1.0"?><Result xmlns="http://a/"></Result>',
    "query": b'<R xmlns="http://a/"><OpResult/><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></R>',
    "ec2": b'<R xmlns="http://a/"><requestId>r</requestId></R>',
    "smithy-rpc-v2-cbor": b"\xa0",
}


@pytest.mark.parametrize(("protocol", "service", "operation", "parameters"), OPERATIONS)
def test_an_empty_answer_of_the_service_is_an_answer(
    protocol: str, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    body = EMPTY[protocol].replace(b"Op", api.operation_names(service)[operation].encode())
    response = call(service, operation, parameters, body)
    assert answers.has_nothing_of(api.operation_model(service, operation), response)


def test_a_body_that_is_no_json_is_an_error_also_where_the_output_has_a_message() -> None:
    """botocore makes a `message` of it."""
    for body in (body for body in BODIES.values() if b"essage" not in body and b"__type" not in body):
        with pytest.raises(ResponseParserError):
            call("imagebuilder", "list_workflow_executions", {"imageBuildVersionArn": ARN}, body)
    own = call("imagebuilder", "list_workflow_executions", {"imageBuildVersionArn": ARN}, b'{"message": "none yet"}')
    assert own["message"] == "none yet"


ARN = "arn:aws:imagebuilder:us-east-1:123456789012:image/i/1.0.0/1"


def test_flags_and_statuses_that_say_that_a_result_is_partial() -> None:
    def inside(service: str, operation: str, response: dict[str, Any]) -> list[dict[str, Any]]:
        definition = paginator_of(service, operation, {}).definition
        return answers.errors_inside(
            api.operation_model(service, operation), {"result_key": [], **definition}, response
        )

    partial = inside("billing", "get_credit_allocation_history", {"partialResults": True})
    assert partial == [{"member": "partialResults", "error": "partialResults"}]
    query = ("cloudwatchomni", "get_telemetry_query_results")
    assert inside(*query, {"statistics": {"partialResults": {"partialResultsDetected": False}}}) == []
    assert len(inside(*query, {"statistics": {"partialResults": {"partialResultsDetected": True}}})) == 1
    flows = ("network-firewall", "list_flow_operation_results")
    assert inside(*flows, {"FlowOperationStatus": "COMPLETED_WITH_ERRORS"})[0]["error"] == "COMPLETED_WITH_ERRORS"
    # Only its documentation names the values of this status.
    report = ("network-firewall", "get_analysis_report_results")
    assert running(*report, {"Status": "RUNNING"}) == "Status: RUNNING"
    assert running(*report, {"Status": "COMPLETED"}) is None


def running(service: str, operation: str, response: dict[str, Any]) -> str | None:
    definition = paginator_of(service, operation, {}).definition
    return answers.running_status(api.operation_model(service, operation), definition, response)


def test_the_status_of_one_thing_is_its_own() -> None:
    def inside(service: str, operation: str, response: dict[str, Any]) -> list[dict[str, Any]]:
        definition = paginator_of(service, operation, {}).definition
        return answers.errors_inside(api.operation_model(service, operation), definition, response)

    assert running("stepfunctions", "describe_execution", {"status": "RUNNING"}) is None
    assert inside("stepfunctions", "describe_execution", {"status": "FAILED"}) == []
    assert inside("bedrock", "get_guardrail", {"failureRecommendations": ["try again"]}) == []
    # It lists what a query has found.
    assert running("logs", "get_query_results", {"status": "Running", "results": []}) == "status: Running"
    # It answers for several things, of which it has left some out.
    unprocessed = {"Responses": {}, "UnprocessedKeys": {"a-table": {"Keys": [{"id": {"S": "1"}}]}}}
    assert [each["member"] for each in inside("dynamodb", "batch_get_item", unprocessed)] == ["UnprocessedKeys"]


def test_members_that_are_newer_than_the_model_are_no_error() -> None:
    body = json.dumps({"estimatedTotal": 0}).encode()
    response = call("lambda", "list_functions", {}, body)
    assert response.keys() == {"ResponseMetadata"}
