"""What identifies an item: a JMESPath expression for each result key, inferred from the models if the crawl has none.

An identity is unique within one listing where the model says so: the item's own ARN or ID, or what an operation on one
such item (DeleteMetricFilter) requires. Any other is a guess, and a hash of the item makes it unique.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import OperationModel

from pageturner.paging import api, pagination


@dataclass(frozen=True)
class Identity:
    """A JMESPath expression on an item, and whether what it finds is unique within one listing."""

    expression: str
    unique: bool


# What the models' names do not tell, or tell wrongly, by service, operation (if it matters) and result key. None: only
# the whole item. Each has its source: the service's API reference, most of whose texts are in the models too.
_EXCEPTIONS: Mapping[tuple[str, ...], str | None] = {
    # The same topic can notify a group of several types of events, each in an entry of its own.
    ("autoscaling", "NotificationConfigurations"): "[AutoScalingGroupName, TopicARN, NotificationType]",
    # One billing group's costs, split by the attributes that GroupBy asks for.
    ("billingconductor", "BillingGroupCostReportResults"): None,
    # "A paginated call to get a list of all custom line item versions"; the ARN is that of the item.
    ("billingconductor", "CustomLineItemVersions"): "[Arn, StartBillingPeriod]",
    # "The version identifier of this trained model version".
    ("cleanroomsml", "trainedModels"): "[trainedModelArn, versionIdentifier]",
    # "Summary information for stacks that have been deleted is kept for 90 days": their names are free again.
    ("cloudformation", "StackSummaries"): "StackId",
    ("cloudformation", "Stacks"): "StackId",
    ("cloudformation", "list_stack_sets", "Summaries"): "StackSetId",
    # "A CloudFront function in the DEVELOPMENT stage … in the LIVE stage" (ListFunctions): each can be in both.
    ("cloudfront", "FunctionList.Items"): "[Name, FunctionMetadata.Stage]",
    # A search expression gives several results under the ID of its query, and later pages go on with a result.
    ("cloudwatch", "MetricDataResults"): None,
    # "A metric is uniquely defined by a name, a namespace, and zero or more dimensions" (CloudWatch concepts).
    ("cloudwatch", "Metrics"): None,
    # "The namespace of an npm or Swift package version is its scope": two scopes can have a package of the same name.
    ("codeartifact", "packages"): "[format, namespace, package]",
    # IDs are those of each type of resource: a name is one for many.
    ("config", "ComplianceByResources"): "[ResourceType, ResourceId]",
    # `version` is that of the format; `configurationStateId` "indicates the ordering of the configuration items of a
    # resource" (ConfigurationItem).
    ("config", "configurationItems"): "[resourceType, resourceId, configurationStateId]",
    # What the listing requires is the ID of the interconnect or LAG (DescribeHostedConnections).
    ("directconnect", "describe_hosted_connections", "connections"): "connectionId",
    # "The ID representing the allocation of the address"; ReleaseAddress takes it, but does not require it.
    ("ec2", "Addresses"): "AllocationId",
    # "The name of the attribute" (DescribeAccountAttributes): each has all of its values.
    ("ec2", "AccountAttributes"): "AttributeName",
    ("redshift", "AccountAttributes"): "AttributeName",
    # "The ID passed in the DataQuery", also for the metric points that later pages have.
    ("ec2", "DataResponses"): None,
    # "A single entry in an image usage report": the ID is the report's.
    ("ec2", "ImageUsageReportEntries"): None,
    # Each principal has its own.
    ("ecs", "settings"): "[name, principalArn]",
    # "If the default certificate is also in the certificate list, it appears twice" (DescribeListenerCertificates).
    ("elbv2", "Certificates"): "[CertificateArn, IsDefault]",
    # DeleteStudioSessionMapping takes the ID or the name of the user or group, so it requires neither.
    ("emr", "SessionMappings"): "[StudioId, IdentityType, IdentityId]",
    # "Lists all Amazon OpenSearch Service domains associated with a given package" (ListDomainsForPackage).
    ("es", "list_domains_for_package", "DomainPackageDetailsList"): "DomainName",
    ("opensearch", "list_domains_for_package", "DomainPackageDetailsList"): "DomainName",
    # "The ID of the target within the specified rule"; two targets can invoke the same resource, which `Arn` names.
    ("events", "Targets"): "Id",
    # "A unique identifier for the deployment"; a fleet has many.
    ("gamelift", "FleetDeployments"): "DeploymentId",
    # A resource is listed once for each type of scan that covers it.
    ("inspector2", "coveredResources"): "[accountId, resourceId, scanType]",
    # `Id` is "the unique identifier for this operation", which has several events.
    ("lambda", "Events"): "EventId",
    # Each can be in several resource shares.
    ("ram", "principals"): "[id, resourceShareArn]",
    ("ram", "resources"): "[arn, resourceShareArn]",
    ("ram", "sourceAssociations"): "[sourceId, resourceShareArn]",
    # "The name of the Amazon RDS quota for this Amazon Web Services account".
    ("rds", "AccountQuotas"): "AccountQuotaName",
    # The ID is that of the kind of event ("REDSHIFT-EVENT-2000"; Amazon Redshift event notifications).
    ("redshift", "Events"): None,
    # "SetIdentifier … must be unique for each resource record set that has the same domain name and type".
    ("route53", "ResourceRecordSets"): "[Name, Type, SetIdentifier]",
    # DeleteMarkers are versions, although nothing in their name says so (ListObjectVersions).
    ("s3", "DeleteMarkers"): "[Key, VersionId]",
    # "Identifies the upload … multiple in-progress uploads for the same key" (ListMultipartUploads).
    ("s3", "Uploads"): "[Key, UploadId]",
    # "The security findings provider-specific identifier for a finding". (GetFindingsV2's items have no members.)
    ("securityhub", "get_findings", "Findings"): "[ProductArn, Id]",
    # The ARN is the quota's, of which there can be several requests.
    ("service-quotas", "RequestedQuotas"): "Id",
    # All those that wait for confirmation have the SubscriptionArn "PendingConfirmation" (Subscribe).
    ("sns", "Subscriptions"): "[SubscriptionArn, TopicArn, Protocol, Endpoint]",
    # The ID is that of a patch or an association, which is in the inventories of many resources.
    ("ssm", "ComplianceItems"): "[ComplianceType, ResourceType, ResourceId, Id]",
    # TaskArn is "the resource that the task uses during execution".
    ("ssm", "Tasks"): "WindowTaskId",
    # The same for both listings of each, whichever of their members the listing requires.
    ("sso-admin", "AccountAssignments"): "[AccountId, PermissionSetArn, PrincipalId, PrincipalType]",
    ("sso-admin", "ApplicationAssignments"): "[ApplicationArn, PrincipalId, PrincipalType]",
}
# An answer that is an item as a whole is the only one of its listing: a constant.
_THE_ONLY_ITEM = Identity("'@'", unique=True)
# Operations on one item, in this order: what they require identifies it.
_ON_ONE = (
    *("Delete", "Get", "Describe", "AdminDelete", "Deregister", "Cancel", "Stop", "Terminate", "Release"),
    *("Update", "Modify"),
)
# An update requires new values besides.
_UPDATES = ("Update", "Modify")
_IDENTITY_LIKE = re.compile(r"(arn|id|identifier|name|key|number|namespace|region|type)$")
# Required by some of them without identifying anything.
_NOT_IDENTIFYING = {"ifmatch", "etag", "locktoken", "dryrun", "clienttoken", "clientrequesttoken"}
_SCALARS = {"string", "integer", "long", "timestamp"}
_IDS = ("id", "identifier")
_OWN = {"arn", *_IDS}
_GUESSES = ("arn", "id", "identifier", "name", "key")
# Suffixes that models append to a noun to name its entry in a list.
_SUFFIXES = re.compile(
    r"(List)?(Entry|Item|Summary|Info|Information|Details?|Description|Configuration|Metadata|Type)$"
)
_OF_VERSIONS = re.compile(r"(Version|Revision|Histor(y|ies))")
_LISTING_VERBS = re.compile(r"^(List|Describe|Get|Search|Query)(All)?")


def keys_of(
    service: str, operation: str, paginator: Mapping[str, Any], key: str | None, search: str | None
) -> dict[str, Identity | None]:
    """Return the identity of the items of each result key; None: only the whole item identifies it.

    With `search`, the items are whatever it returns, under the single name "search".
    """
    stated = Identity(key, unique=True) if key else None
    if search is not None:
        return {"search": stated}
    return {name: stated or _inferred(service, operation, name) for name in pagination.result_keys(paginator)}


@cache
def _inferred(service: str, operation: str, result_key: str) -> Identity | None:
    if result_key == pagination.WHOLE:
        return _THE_ONLY_ITEM
    for known in ((service, operation, result_key), (service, result_key)):
        if known in _EXCEPTIONS:
            exception = _EXCEPTIONS[known]
            return Identity(exception, unique=True) if exception else None
    listing = api.operation_model(service, operation)
    shape: Any = pagination.result_shape(listing, result_key)
    if shape is None:
        return None
    if shape.type_name == "map":
        return Identity("key", unique=True)
    item = shape.member if shape.type_name == "list" else shape
    if item.type_name == "string":
        return Identity("@", unique=True)
    if item.type_name != "structure":
        return None
    if len(item.members) == 1:
        (only,) = item.members
        # Nothing else is in the item.
        return Identity(only, unique=True) if item.members[only].type_name == "string" else None
    return _Item(listing, result_key.rpartition(".")[2], item).identity()


class _Item:
    """The items of a listing, which are structures."""

    def __init__(self, listing: OperationModel, list_name: str, shape: Any) -> None:
        self._listing = listing
        self._given = {n.lower() for n in (listing.input_shape.required_members if listing.input_shape else ())}
        self._members = {name.lower(): name for name, member in shape.members.items() if _identifies(member)}
        self._strings = {n for n, name in self._members.items() if shape.members[name].type_name == "string"}
        own = [singular(list_name), shape.name, _SUFFIXES.sub("", shape.name)]
        asked_for = singular(_LISTING_VERBS.sub("", listing.name))
        # From its list's name, from its own shape, and from the name of the operation.
        self._nouns = list(dict.fromkeys(noun for noun in [*own, asked_for, _SUFFIXES.sub("", own[0])] if noun))
        self._last_words = [words[-1] for noun in own if (words := re.findall(r"[A-Z][a-z]+", noun))]
        named = " ".join((listing.name, list_name, shape.name))
        self._lists_versions = _OF_VERSIONS.search(named) is not None
        self._versions = self._version_members() if self._lists_versions else []

    def identity(self) -> Identity | None:
        found = self._own("arn") or self._required() or self._own(*_IDS)
        if found is not None:
            return _expression([*found, *self._versions], unique=True)
        guess = self._guess()
        if self._given and self._members.keys() == {"key", "value"}:
            # "Each tag key must be unique for each resource" (Tagging AWS Resources User Guide).
            return _expression(guess, unique=True)
        if self._versions:
            # The versions of one thing, if the listing requires to say of which.
            return _expression([*guess, *self._versions], unique=bool(self._given))
        return _expression(guess, unique=False) if guess else None

    def _own(self, *endings: str) -> list[str] | None:
        names = (f"{noun}{ending}".lower() for ending in endings for noun in ("", *self._nouns, *self._last_words))
        found = (name for name in names if name in self._strings and not self._is_constant(name))
        return next(([self._members[name]] for name in found), None)

    def _is_constant(self, name: str) -> bool:
        """Whether a member is the same in all items, because the listing requires it.

        A plain `arn` or `id` that it requires is a parent's (devicefarm), unless it lists the versions of one thing.
        """
        if name not in self._given or self._versions:
            return False
        return self._lists_versions or name not in _OWN

    def _required(self) -> list[str] | None:
        """The members that an operation on one such item requires, besides what the listing itself requires."""
        names = {f"{verb}{noun}": noun for verb in _ON_ONE for noun in self._item_nouns()}
        service = self._listing.service_model
        for name, noun in names.items():
            if name == self._listing.name or name not in service.operation_names:
                continue
            found = self._members_for(service.operation_model(name), noun)
            if found and not (name.startswith(_UPDATES) and self._has_another_id(found)):
                return found
        return None

    def _item_nouns(self) -> Iterator[str]:
        for noun in self._nouns:
            yield noun
            if self._versions and (bare := _OF_VERSIONS.sub("", noun)):
                yield bare

    def _has_another_id(self, found: list[str]) -> bool:
        """Whether the item has an ID of its own that is not in `found`, because an update can take others instead."""
        ids = {f"{noun}{ending}".lower() for noun in self._nouns for ending in ("arn", *_IDS)}
        own = {self._members[name] for name in ids & self._strings}
        return bool(own) and not own & set(found)

    def _members_for(self, operation: OperationModel, noun: str) -> list[str] | None:
        shape: Any = operation.input_shape
        found = []
        for name in shape.required_members if shape else ():
            parameter = name.lower()
            if parameter in self._given or parameter in _NOT_IDENTIFYING:
                continue
            if shape.members[name].metadata.get("idempotencyToken"):
                continue
            if operation.name.startswith(_UPDATES) and not _IDENTITY_LIKE.search(parameter):
                continue
            member = self._member(parameter, noun.lower())
            if member is None:
                return None
            found.append(member)
        return found

    def _member(self, parameter: str, noun: str) -> str | None:
        """The member that a parameter takes: the same name, with or without the noun before it."""
        bare = parameter.removeprefix(noun)
        names = [parameter, bare, f"{noun}{parameter}", *(f"{word.lower()}{bare}" for word in self._last_words)]
        if bare in ("", "identifier", "idorarn"):
            names += [f"{noun}id", "id", f"{noun}name", "name", f"{noun}arn", "arn"]
        return next((self._members[name] for name in names if name in self._members), None)

    def _version_members(self) -> list[str]:
        nouns = "|".join(re.escape(_OF_VERSIONS.sub("", noun).lower()) for noun in self._nouns)
        for word in ("version", "revision"):
            pattern = re.compile(rf"({nouns}|)({word})(id|identifier|number|)$")
            if found := [name for lower, name in self._members.items() if pattern.match(lower)]:
                return found
        return []

    def _guess(self) -> list[str]:
        names = (f"{noun}{ending}".lower() for ending in _GUESSES for noun in ("", *self._nouns, *self._last_words))
        return next(([self._members[name]] for name in names if name in self._strings), [])


def _identifies(member: Any) -> bool:
    scalar = member.member if member.type_name == "list" else member
    return scalar.type_name in _SCALARS


def _expression(members: list[str], *, unique: bool) -> Identity:
    names = list(dict.fromkeys(members))
    return Identity(names[0] if len(names) == 1 else f"[{', '.join(names)}]", unique)


def singular(name: str) -> str:
    """Return the name of one element of a list: ``Task`` of ``taskList``, ``InstanceId`` of ``InstanceIds``."""
    bare = re.sub(r"(Summaries|SummaryList|Summary|List|Set)$", "", name)
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("s", "")):
        if bare.endswith(ending):
            return bare.removesuffix(ending) + instead
    return bare
