"""Checks that an operation exists, only reads, and ends."""

from __future__ import annotations

from botocore import xform_name

from pageturner.crawls.read_only import refusal
from pageturner.messages import nearest, shown
from pageturner.paging import api
from pageturner.paging.paginators import NEVER_ENDING


def wrong_operation(service: str, operation: str) -> tuple[str, str] | None:
    """Return what is wrong, "service" or "operation", and why; None if the operation can be called."""
    if service not in api.service_names():
        return "service", f"boto3 has no service {shown(service)}{nearest(service, api.service_names())}"
    if operation not in api.operation_names(service):
        near = nearest(xform_name(operation), api.operation_names(service))
        return "operation", f"{service} has no operation {shown(operation)}{near}"
    if reason := refusal(service, operation):
        return "operation", reason
    if never_ends := NEVER_ENDING.get((service, operation)):
        return "operation", f"{service} {operation} never ends: {never_ends}"
    return None
