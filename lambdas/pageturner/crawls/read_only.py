"""Whether an operation only reads: only such an operation can be crawled.

The access level that AWS gives the operation's IAM action decides, in ``read_operations.txt``; `make read-operations`
writes it. The tables here say what the level does not.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

# In read_operations.txt, before an operation whose action the Service Authorization Reference does not have.
UNKNOWN = "?"
_FILE = Path(__file__).with_name("read_operations.txt")

# Operations that do more than read, though AWS classes their actions as Read, by their first words…
_ACTING_WORDS = {
    "cancel": "ends work in the service",
    "converse": "runs a model",
    "invoke": "runs a model, an agent or a function, which can do anything",
    "start": "begins work in the service",
    "stop": "ends work in the service",
}
# … and by their names: what their own documentation says.
_ACTING = {
    ("bedrock-agentcore", "complete_resource_token_auth"): "completes a sign-in",
    ("cloudformation", "detect_stack_drift"): "begins a drift detection",
    ("cloudformation", "detect_stack_resource_drift"): "detects drift, and records it in the stack",
    ("cloudformation", "detect_stack_set_drift"): "begins a drift detection",
    ("cognito-identity", "get_open_id_token_for_developer_identity"): "registers the identity if it is new",
    ("cognito-idp", "get_user_attribute_verification_code"): "sends a message to the user",
    ("config", "deliver_config_snapshot"): "writes a snapshot to the bucket of the delivery channel",
    ("dms", "test_connection"): "begins a test, and records its result in the connection",
    ("ds", "verify_trust"): "begins a verification, and records its result in the trust",
    ("dynamodb", "execute_statement"): "can run INSERT, UPDATE and DELETE; use scan or query",
    ("eks-auth", "assume_role_for_pod_identity"): "takes on a role that can do more",
    ("elasticbeanstalk", "request_environment_info"): "has the environment's instances compile information",
    ("frauddetector", "get_event_prediction"): "stores the event and its prediction",
    ("gamelift", "request_upload_credentials"): "makes credentials that can write",
    ("iam", "generate_credential_report"): "begins a report",
    ("iam", "generate_organizations_access_report"): "begins a report",
    ("iam", "generate_service_last_accessed_details"): "begins a report",
    ("inspector", "get_assessment_report"): "begins a report",
    ("iot", "get_registration_code"): "creates the registration code if there is none",
    ("iot", "test_invoke_authorizer"): "invokes the authorizer's function",
    ("kinesis", "subscribe_to_shard"): "takes the subscription of a consumer away from its earlier caller",
    ("kinesisanalyticsv2", "create_application_presigned_url"): "makes a URL that gives access to the application",
    ("qbusiness", "chat"): "adds to a conversation, which is kept",
    ("qbusiness", "chat_sync"): "adds to a conversation, which is kept",
    ("sagemaker", "get_scaling_configuration_recommendation"): "begins a recommendation job",
    ("signin", "create_oauth2_token"): "redeems an authorization code or a refresh token",
    ("sqs", "receive_message"): "hides the messages that it returns from everyone else, and counts as a receipt",
    ("taxsettings", "get_tax_registration_document"): "writes the document to a bucket",
    ("timestream-query", "query"): "can run UNLOAD, which writes to a bucket",
    ("transfer", "test_identity_provider"): "signs a user in at the identity provider",
    ("xray", "get_sampling_targets"): "reports statistics, and takes a share of the sampling quota",
}
# Operations that only read, though AWS classes their actions otherwise: their documentation says that they return
# something, and nothing else.
_READING = {
    ("bcm-pricing-calculator", "list_tags_for_resource"),
    ("billing", "get_resource_policy"),
    ("cloudwatchomni", "search_principals"),
    ("glue", "describe_connection_type"),
    ("glue", "describe_entity"),
    ("glue", "list_connection_types"),
    ("glue", "list_entities"),
    ("iot-data", "list_subscriptions"),
    ("quicksight", "describe_knowledge_base_permissions"),
    ("quicksight", "describe_space_permissions"),
    ("quicksight", "describe_topic_permissions"),
    ("route53globalresolver", "list_tags_for_resource"),
    ("ssm-sap", "get_resource_permission"),
}


def refusal(service: str, operation: str) -> str | None:
    """Return why `operation`, which is boto3's name, cannot be crawled, or None if it only reads.

    Raises `KeyError` if the service has no such operation.
    """
    listed = _line(service)
    reads = operation in listed or (service, operation) in _READING
    acts = _ACTING.get((service, operation)) or _ACTING_WORDS.get(operation.partition("_")[0])
    if reads and not acts:
        return None
    from pageturner.crawls.iam_actions import iam_action  # only a refusal names the action

    what, action = f"{service} {operation}", iam_action(service, operation)
    if reads:
        return f"Pageturner only reads, and {what} ({action}) {acts}"
    if UNKNOWN + operation in listed:
        return (
            f"Pageturner only reads, and nothing says that {what} does: the Service Authorization Reference does not "
            f"have its IAM action, {action}"
        )
    return f"Pageturner only reads: {what} needs {action}, which AWS classes as neither List nor Read"


@cache
def _line(service: str) -> frozenset[str]:
    """The line of a service, without parsing the others: FetchPage's cold start waits for it."""
    with _FILE.open(encoding="utf-8") as lines:
        return frozenset(next((line for line in lines if line.startswith(f"{service} ")), "").split()[1:])
