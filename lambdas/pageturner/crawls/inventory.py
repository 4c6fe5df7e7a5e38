"""Which operations list what belongs to an account: a crawl can name them all with `operations: inventory`.

``account_operations.txt`` has them; `make read-operations` writes it, where botocore's models are: here, nothing needs
one. The operations that are left out, and the reasons, are in ``local/left_out.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

# In account_operations.txt, before an operation that is not in the inventory.
LEFT_OUT_MARK = "-"
_FILE = Path(__file__).with_name("account_operations.txt")

# The parameters with which operations of the inventory list what belongs to the account: without them, they list what
# AWS and others publish, too, or leave out a part. Each with what its documentation string in botocore says.
OWN: Mapping[tuple[str, str], Mapping[str, Any]] = {
    # "The type of image (public, private, or shared) to describe."
    ("appstream", "describe_images"): {"Type": "PRIVATE"},
    # APPLICATION: "The inference profile was created by a user."
    ("bedrock", "list_inference_profiles"): {"typeEquals": "APPLICATION"},
    # "The type of the prompt routers, such as whether it's default or custom."
    ("bedrock", "list_prompt_routers"): {"type": "custom"},
    # "The type of browsers to list. If not specified, all browser types are returned."
    ("bedrock-agentcore-control", "list_browsers"): {"type": "CUSTOM"},
    # "The type of code interpreters to list."
    ("bedrock-agentcore-control", "list_code_interpreters"): {"type": "CUSTOM"},
    # "Resource Owner": SERVICE or ACCOUNT.
    ("bedrock-data-automation", "list_blueprints"): {"resourceOwner": "ACCOUNT"},
    ("bedrock-data-automation", "list_data_automation_projects"): {"resourceOwner": "ACCOUNT"},
    # custom: "Returns only the custom policies created in your Amazon Web Services account."
    ("cloudfront", "list_cache_policies"): {"Type": "custom"},
    ("cloudfront", "list_origin_request_policies"): {"Type": "custom"},
    ("cloudfront", "list_response_headers_policies"): {"Type": "custom"},
    # "If you omit this parameter, only metric alarms are returned, even if composite alarms or log alarms exist".
    ("cloudwatch", "describe_alarms"): {"AlarmTypes": ["MetricAlarm", "CompositeAlarm", "LogAlarm"]},
    # "If empty, defaults to SINGLE_METRIC."
    ("cloudwatch", "describe_anomaly_detectors"): {"AnomalyDetectorTypes": ["SINGLE_METRIC", "METRIC_MATH"]},
    # "Return only views of this ownership category.": USER or MANAGED.
    ("cloudwatchomni", "list_views"): {"type": "USER"},
    # "Filters the list of action types to those created by a specified entity.": AWS, ThirdParty or Custom.
    ("codepipeline", "list_action_types"): {"actionOwnerFilter": "Custom"},
    # "USER - On-demand backup created by you. (The default setting …) … ALL - All types of on-demand backups".
    ("dynamodb", "list_backups"): {"BackupType": "ALL"},
    # "self (owner is the sender of the request)"; else all "available to you. These include public AFIs".
    ("ec2", "describe_fpga_images"): {"Owners": ["self"]},
    # "If you omit this parameter, the results include all images for which you have launch permissions".
    ("ec2", "describe_images"): {"Owners": ["self"]},
    # "To describe all launch templates in your account that are defined as the latest version, the valid value is
    # $Latest." Without, it needs a launch template.
    ("ec2", "describe_launch_template_versions"): {"Versions": ["$Latest", "$Default"]},
    # "The snapshots available to you include public snapshots".
    ("ec2", "describe_snapshots"): {"OwnerIds": ["self"]},
    # "Use 'all' to return … connected clusters, or blank to return only Amazon EKS clusters."
    ("eks", "list_clusters"): {"include": ["all"]},
    # "Filters the list for AWS or CUSTOM locations."
    ("gamelift", "list_locations"): {"Filters": ["CUSTOM"]},
    # "Allows you to retrieve the connection metadata without returning the password."
    ("glue", "get_connections"): {"HidePassword": True},
    # "To list only the customer managed policies in your Amazon Web Services account, set Scope to Local."
    ("iam", "list_policies"): {"Scope": "Local"},
    # "A flag indicating whether to list service specific credentials for all users." Without, they are the caller's.
    ("iam", "list_service_specific_credentials"): {"AllUsers": True},
    # TOP_LEVEL: "The list includes only top-level assets in the asset hierarchy tree." ALL, the default, needs a model.
    ("iotsitewise", "list_assets"): {"filter": "TOP_LEVEL"},
    # "If not specified, scheduled queries of all schedule types are returned.", AWS_MANAGED ones, too.
    ("logs", "list_scheduled_queries"): {"scheduleType": "CUSTOMER_MANAGED"},
    # "specify PRIVATE to retrieve a list of private workflows or specify READY2RUN".
    ("omics", "list_workflows"): {"type": "PRIVATE"},
    # "returns only customer managed permissions". "If you don't specify this parameter, the default is All."
    ("ram", "list_permissions"): {"permissionType": "CUSTOMER_MANAGED"},
    # "The type of table buckets to filter by in the list.": customer or aws.
    ("s3tables", "list_table_buckets"): {"type": "customer"},
    # "UNVERSIONED - … This is the default value … BOTH - List both versioned and unversioned models."
    ("sagemaker", "list_model_packages"): {"ModelPackageType": "Both"},
    # "CUSTOMER to return pipelines that you created. If you don't specify a value, the response includes both."
    ("sagemaker", "list_pipelines"): {"ManagedBy": "CUSTOMER"},
    # "Can be set to Local or AWS to limit responses to your custom registries, or the ones provided by AWS."
    ("schemas", "list_registries"): {"Scope": "Local"},
    # "Supported keys … OWNER Sample values: AWS | Self".
    ("ssm", "describe_patch_baselines"): {"Filters": [{"Key": "OWNER", "Values": ["Self"]}]},
    # "For example, to return documents you own use Key=Owner,Values=Self."
    ("ssm", "list_documents"): {"Filters": [{"Key": "Owner", "Values": ["Self"]}]},
    # "The type of lenses to be returned.": AWS_OFFICIAL, CUSTOM_SHARED or CUSTOM_SELF.
    ("wellarchitected", "list_lenses"): {"LensType": "CUSTOM_SELF"},
}


def without_parameters(service: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return the services and operations, in boto3's names, that need no parameters: of `service`, or all.

    Those that are not in the inventory, too. Sorted; empty for a service that has none, or that does not exist.
    """
    return tuple(
        (each, word.removeprefix(LEFT_OUT_MARK))
        for each, *words in _lines()
        if service in (None, each)
        for word in words
    )


def inventory() -> tuple[tuple[str, str], ...]:
    """Return the services and operations that list what belongs to an account, sorted. `OWN` has parameters of some."""
    return tuple(
        (service, word) for service, *words in _lines() for word in words if not word.startswith(LEFT_OUT_MARK)
    )


@cache
def _lines() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(line.split()) for line in _FILE.read_text(encoding="utf-8").splitlines())
