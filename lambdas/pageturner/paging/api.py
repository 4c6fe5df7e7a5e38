"""botocore's own data about an API: its services, operations, paginators and regions.

The data is read through botocore's loader, which `clients.py` shares, so each service's model is parsed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownRegionError, UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

LOADER = Loader()


@cache
def service_names() -> tuple[str, ...]:
    """All the services of the installed botocore, sorted: the names that ``boto3.client`` takes."""
    return tuple(LOADER.list_available_services("service-2"))


@cache
def service_model(service: str) -> ServiceModel:
    """The model of `service`. Raises `botocore.exceptions.UnknownServiceError`."""
    return ServiceModel(LOADER.load_service_model(service, "service-2"), service)


@cache
def operation_names(service: str) -> Mapping[str, str]:
    """boto3's names of the operations of `service` (``list_objects_v2``) → the API's own names (``ListObjectsV2``)."""
    return {xform_name(name): name for name in service_model(service).operation_names}


def operation_model(service: str, operation: str) -> OperationModel:
    """The model of `operation`, which is boto3's name. Raises `KeyError` if the service has no such operation."""
    return service_model(service).operation_model(operation_names(service)[operation])


def is_fault(service: str, shape: str) -> bool:
    """Whether the model of `service` marks an error as the server's fault, a trait that botocore's shapes leave out."""
    return bool(LOADER.load_service_model(service, "service-2")["shapes"][shape].get("fault"))


@cache
def _paginators(service: str) -> Mapping[str, dict[str, Any]]:
    try:
        return LOADER.load_service_model(service, "paginators-1")["pagination"]  # type: ignore[no-any-return]
    except (DataNotFoundError, UnknownServiceError):
        return {}


def official_paginator(service: str, operation: str) -> dict[str, Any] | None:
    """The paginator that botocore ships for `operation` (a ``paginators-1.json`` entry), or None."""
    return _paginators(service).get(operation_names(service)[operation])


@cache
def _session() -> botocore.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    return session


def regions_are_known(service: str) -> bool:
    """Whether botocore knows the regions of `service`: it does not for every service, least of all the newest."""
    return bool(_session().get_available_regions(service, allow_non_regional=True))


def regions_of(service: str, partition: str) -> list[str]:
    """The regions of `partition` where `service` exists, according to botocore; empty for a global service (iam)."""
    return _session().get_available_regions(service, partition)


def partition_of(region: str) -> str:
    """The partition of a region: "aws", "aws-cn" … A region that botocore does not know yet counts as "aws"."""
    try:
        return _session().get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"
