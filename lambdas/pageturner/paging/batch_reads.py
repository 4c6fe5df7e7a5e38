"""Operations that take many values in one parameter and answer with an element for each (``BatchGet…``, ``Describe…``).

What the models tell: how many values a call takes, which list has the elements, and which of their members repeats the
value that was sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import OperationModel

from pageturner.paging import answers, api
from pageturner.paging.identity import singular

MOST_VALUES = 100
# Where neither the model nor its documentation says how many.
_FEW_VALUES = 10
# What the documentation of the parameter says, in botocore's models, where they state no maximum. Those of EC2 take
# 100 at least (DescribeInstanceStatus: "Maximum 100 explicitly specified instance IDs").
_DOCUMENTED: Mapping[tuple[str, str], int] = {
    ("codedeploy", "batch_get_application_revisions"): 25,
    ("codedeploy", "batch_get_applications"): 100,
    ("codedeploy", "batch_get_deployment_groups"): 100,
    ("codedeploy", "batch_get_deployment_targets"): 25,
    ("codedeploy", "batch_get_deployments"): 25,
    ("codedeploy", "batch_get_on_premises_instances"): 25,
    ("ecs", "describe_clusters"): 100,
    ("ecs", "describe_container_instances"): 100,
    ("ecs", "describe_services"): 10,
    ("ecs", "describe_tasks"): 100,
}


def most_values(service: str, operation: str, parameter: str) -> int:
    """Return how many values a call of `operation` takes in `parameter`, at most `MOST_VALUES`."""
    shape = api.operation_model(service, operation).input_shape
    stated = shape.members[parameter].metadata.get("max") if shape else None
    known = stated or _DOCUMENTED.get((service, operation)) or (MOST_VALUES if service == "ec2" else _FEW_VALUES)
    return min(int(known), MOST_VALUES)


def list_of_elements(model: OperationModel) -> str | None:
    """Return the only list of an output that can have the elements: of structures, and not of errors; or None."""
    members: Mapping[str, Any] = model.output_shape.members if model.output_shape is not None else {}
    errors = {path for path in answers.error_members(model) if len(path) == 1}
    lists = [
        name
        for name, shape in members.items()
        if shape.type_name == "list" and shape.member.type_name == "structure" and (name,) not in errors
    ]
    return lists[0] if len(lists) == 1 else None


def member_that_repeats(parameter: str, element: Any) -> str | None:
    """Return the member of an `element` that repeats the value sent in `parameter`, if the names make that plain.

    Like ``InstanceId`` for `InstanceIds`, ``Name`` of a Job for `JobNames`, or ``taskArn`` for `tasks`.
    """
    if getattr(element, "type_name", None) != "structure":
        return None
    members = {name.lower(): name for name, shape in element.members.items() if shape.type_name == "string"}
    return next((members[name] for name in _names(parameter, element.name) if name in members), None)


def _names(parameter: str, noun: str) -> Iterator[str]:
    one = singular(parameter).lower()
    yield one
    yield one.removeprefix(noun.lower())
    yield f"{one}arn"
