"""botocore's own data about an API: its services, operations, paginators and regions.

The data is read through botocore's loader, which `clients.py` shares, so each service's model is parsed once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import DataNotFoundError, EndpointProviderError, UnknownRegionError, UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

LOADER = Loader()
# A model is some MB in memory (ec2's 30), and caches keep it. An inventory goes through hundreds of services, so a
# function forgets all of them when it has loaded so many.
MOST_SERVICES = 10
_loaded: set[str] = set()
# What else holds models, and is to be called then.
FORGETS: list[Callable[[], None]] = []
# Services with endpoints of one region only, or one region that answers, in the partition "aws". Each line has the
# sentence of the service's documentation string in botocore.
_ONE_REGION: Mapping[str, str] = {
    # "is a global service …, but you must specify the US West (Oregon) Region to create, update, or otherwise work with
    # accelerators". (endpoints.json lists all regions.)
    "globalaccelerator": "us-west-2",
    # "control plane APIs are currently available in US East (Virginia) - us-east-1". (endpoints.json: all regions.)
    "notifications": "us-east-1",
    # "you must specify the US West (Oregon) Region for Route 53 ARC API calls".
    "route53-recovery-cluster": "us-west-2",
    # "is a global service …, but you must specify the US East (Ohio) Region to create, update, or otherwise work with
    # Route 53 Global Resolver resources".
    "route53globalresolver": "us-east-2",
}
_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]+")


@cache
def service_names() -> tuple[str, ...]:
    """All the services of the installed botocore, sorted: the names that ``boto3.client`` takes."""
    return tuple(LOADER.list_available_services("service-2"))


def make_room(service: str) -> None:
    """Forget the models of all services, if there are too many, before that of another `service` is loaded."""
    if service in _loaded:
        return
    if len(_loaded) >= MOST_SERVICES:
        _loaded.clear()
        for forget in (_service_model.cache_clear, _paginators.cache_clear, *FORGETS):
            forget()
        # botocore's loader has no public way to forget.
        LOADER._cache.clear()  # type: ignore[attr-defined]
    _loaded.add(service)


def service_model(service: str) -> ServiceModel:
    """The model of `service`. Raises `botocore.exceptions.UnknownServiceError`."""
    make_room(service)
    return _service_model(service)


@cache
def _service_model(service: str) -> ServiceModel:
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


@cache
def listed_regions() -> Mapping[str, str]:
    """The regions from which botocore lists those of each service, with their partitions: "aws", "aws-cn" …"""
    partitions = LOADER.load_data("endpoints")["partitions"]
    return {region: partition["partition"] for partition in partitions for region in partition["regions"]}


@cache
def known_regions() -> Mapping[str, str]:
    """All the regions that botocore knows, also those where it lists no service, with their partitions."""
    partitions = LOADER.load_data("partitions")["partitions"]
    resolved = {region: partition["id"] for partition in partitions for region in partition["regions"]}
    return {**{region: its for region, its in resolved.items() if is_region(region)}, **listed_regions()}


def is_region(text: str) -> bool:
    """Whether a text has the form of a region, unlike "EU", "global" or "aws-global"."""
    return _REGION.fullmatch(text) is not None


def regions_of(service: str, partition: str) -> list[str]:
    """The regions of `partition` where `service` exists, according to botocore's endpoints and documentation.

    Empty for a global service (iam), and where botocore does not know: it lacks some services, mostly new ones.
    """
    only = one_region_of(service, partition)
    return [only] if only else _session().get_available_regions(service, partition)


def one_region_of(service: str, partition: str) -> str | None:
    """The only region of `partition` that answers for `service`, according to its documentation, or None."""
    only = _ONE_REGION.get(service)
    return only if only is not None and partition_of(only) == partition else None


def is_global(service: str, partition: str) -> bool:
    """Whether `service` is in `partition`, but in none of its regions (iam), or has one endpoint for all (billing)."""
    if regions_of(service, partition):
        return False
    known = _session().get_available_regions(service, partition, allow_non_regional=True)
    return bool(known) or _has_one_endpoint(service, partition)


def _has_one_endpoint(service: str, partition: str) -> bool:
    make_room(service)
    rules = EndpointProvider(LOADER.load_service_model(service, "endpoint-rule-set-1"), LOADER.load_data("partitions"))
    regions = [region for region, its in listed_regions().items() if its == partition]
    try:
        return len({rules.resolve_endpoint(Region=region).url for region in regions}) == 1
    except EndpointProviderError:  # the endpoint depends on more than the region
        return False


def partition_of(region: str) -> str:
    """The partition of a region: "aws", "aws-cn" … A region that botocore does not know yet counts as "aws"."""
    try:
        return _session().get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"
