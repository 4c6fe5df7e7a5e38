"""The settings of a deployment: CDK context values, given in ``cdk.json`` or with ``-c name=value``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from constructs import Node

from infra.catalogue import read_catalogue
from pageturner.costs import LOOP_SECONDS
from pageturner.crawls.crawl import Crawl
from pageturner.messages import shortened

# CloudFormation's rule, but shorter: state machine names, of at most 80 characters, begin with the stack's name.
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,69}")
# The rules of IAM and STS.
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_EMAIL = re.compile(r"[^@\s,]+@[^@\s,]+\.[^@\s,]+")
# It is in descriptions of alarms, which have room for 1,024 characters.
_DOCUMENTATION_URL = re.compile(r"[^\s#]{1,500}")
# A condition of IAM compares ARNs of keys. An alias could come to mean another key.
_KMS_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-z-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# AWS managed policies that only read…
_READ_POLICY = re.compile(r"(service-role/)?\w*Read-?[Oo]nly(Access)?(Policy)?(_v\d+)?", re.ASCII)
_OTHER_READ_POLICIES = ("SecurityAudit", "job-function/ViewOnlyAccess")
# … and those that do not, though they are named so: an action of theirs that IAM classes as neither List nor Read.
_NOT_ONLY_READ = {
    "AWSDirectoryServiceDataReadOnlyAccess": "ds:AccessDSData",
    "AWSSSODirectoryReadOnly": "kms:Decrypt",
    "AWSSSOReadOnly": "kms:Decrypt",
    "AWSSecretsManagerClientReadOnlyAccess": "kms:Decrypt",
    "AmazonCognitoReadOnly": "cognito-identity:GetId",
    "AmazonManagedBlockchainReadOnlyAccess": "managedblockchain:GET",
    "AmazonTimestreamReadOnlyAccess": "timestream:CancelQuery",
    "AnthropicReadOnlyAccess": "sts:GetWebIdentityToken",
    "CloudWatchReadOnlyAccess": "cloudwatch:CreateOneTimeDeepLinkCode",
    "MultiPartyApprovalReadOnlyAccess": "kms:Decrypt",
}
# Express executions end after five minutes. The rest is for a last page, which may take FetchPage's whole timeout.
LONGEST_LOOP_SECONDS = 225
# A hand-over is 9 of the 25,000 history events that an execution may have; one after an interruption is 24.
MOST_HAND_OVERS = 1000
# A run that is cut off is resumed and published from its pages and files, and nobody should have to hurry.
LEAST_RETENTION_DAYS = 30
# A hundred years: whoever wants more means 0.
MOST_RETENTION_DAYS = 36_500
# Above this, Athena's limit would not fit into its API's number of bytes; below it, a table of a large crawl.
MOST_SCAN_GB = 7_000_000
_LONGEST_MESSAGE = 2_000
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_RETENTIONS = ("page_retention_days", "run_retention_days", "history_retention_days", "changes_retention_days")


class SettingError(Exception):
    """A setting is invalid; the message says which, and what would be valid."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, _LONGEST_MESSAGE))


@dataclass(frozen=True)
class Settings:
    """The settings and their defaults. Each field is the name of a context value."""

    stack_name: str = "Pageturner"
    catalogue: str = "crawls.yaml"  # a path, relative to the project
    retain_data: bool = True  # keep bucket and tables when the stack is deleted
    kms_key: str = ""  # ARN of a key of one's own for all that holds data; AWS's keys without it
    access_logs_bucket: str = ""  # name of a bucket that gets the access logs of the bucket; none without it
    # Where the functions run: in a VPC, if both are given.
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    loop_seconds: float = LOOP_SECONDS  # how long a PageLoop turns pages before it hands over
    hand_overs: int = 1000  # in one execution, before the run continues in a new one
    log_level: str = "INFO"
    log_retention_days: int = 30
    # Days for which the bucket keeps things; 0 is for ever.
    page_retention_days: int = 0
    run_retention_days: int = 0  # manifests, targets files, and the rows of the tables `runs` and `targets`
    history_retention_days: int = 0  # what a later publication has superseded
    changes_retention_days: int = 0
    query_scan_limit_gb: int = 100  # what an Athena query may scan
    most_rows: int = 1_000_000  # that one function publishes at once; more are published in parts
    read_policies: tuple[str, ...] = ()  # AWS managed policies for adhoc_crawls and an inventory, like ReadOnlyAccess
    notice_emails: tuple[str, ...] = ()  # who is told of runs that are not complete, and of alarms
    notice_changes: bool = False  # tell them also what complete runs have changed
    documentation_url: str = "docs/operations.md"  # where people who are told of an alarm find this document
    adhoc_crawls: bool = False  # let an execution's input say what is read, and not only its name
    reader_role: str = "PageturnerReader"  # name of the role in other accounts
    external_id: str = ""  # the external id that the role requires; by default, one is made
    emulator: bool = False  # run the functions on MiniStack

    @classmethod
    def from_context(cls, node: Node) -> Settings:
        """Read the settings from CDK's context. Raises `SettingError`."""
        names = [f.name for f in fields(cls)]
        for name in node.get_all_context():
            # The CDK has context values too, but one that is almost a setting's name is a misspelling.
            if name not in names and (near := difflib.get_close_matches(name, names, n=1, cutoff=0.75)):
                raise SettingError(f'there is no setting "{name}"; did you mean "{near[0]}"?')
        given = {f.name: node.try_get_context(f.name) for f in fields(cls)}
        return cls(**{name: _parse(name, getattr(cls, name), v) for name, v in given.items() if v is not None})

    def __post_init__(self) -> None:
        if not _STACK_NAME.fullmatch(self.stack_name):
            raise SettingError(
                f'stack_name is "{self.stack_name}"; it must be a letter and then up to 69 letters, digits, hyphens'
            )
        if not _ROLE_NAME.fullmatch(self.reader_role):
            raise SettingError(
                f'reader_role is "{self.reader_role}"; it must be 1 to 64 letters, digits and any of +=,.@_-'
            )
        if self.external_id and not _EXTERNAL_ID.fullmatch(self.external_id):
            raise SettingError(
                f'external_id is "{self.external_id}"; it must be 2 to 1224 letters, digits and any of +=,.@:/_-'
            )
        if self.log_level not in _LOG_LEVELS:
            raise SettingError(f'log_level is "{self.log_level}"; it must be DEBUG, INFO, WARNING or ERROR')
        if not 0 <= self.loop_seconds <= LONGEST_LOOP_SECONDS:
            raise SettingError(f"loop_seconds is {self.loop_seconds:g}; it must be from 0 to {LONGEST_LOOP_SECONDS}")
        if not 1 <= self.hand_overs <= MOST_HAND_OVERS:
            raise SettingError(f"hand_overs is {self.hand_overs}; it must be from 1 to {MOST_HAND_OVERS}")
        for name in _RETENTIONS:
            days = getattr(self, name)
            if days and not LEAST_RETENTION_DAYS <= days <= MOST_RETENTION_DAYS:
                raise SettingError(
                    f"{name} is {days}; it must be 0 (for ever) or from {LEAST_RETENTION_DAYS} to {MOST_RETENTION_DAYS}"
                )
        if not 1 <= self.query_scan_limit_gb <= MOST_SCAN_GB:
            raise SettingError(
                f"query_scan_limit_gb is {self.query_scan_limit_gb}; it must be from 1 to {MOST_SCAN_GB}"
            )
        if self.most_rows < 1:
            raise SettingError(f"most_rows is {self.most_rows}; it must be at least 1")
        for email in self.notice_emails:
            if not _EMAIL.fullmatch(email):
                raise SettingError(
                    f'notice_emails has "{email}"; it must be e-mail addresses, with commas between them'
                )
        if not _DOCUMENTATION_URL.fullmatch(self.documentation_url):
            raise SettingError(
                f'documentation_url is "{self.documentation_url}"; it must be where docs/operations.md is, without "#"'
            )
        self._check_network_and_key()
        for name in self.read_policies:
            _check_read_policy(name)

    def _check_network_and_key(self) -> None:
        if self.kms_key and not _KMS_KEY.fullmatch(self.kms_key):
            raise SettingError(
                f'kms_key is "{self.kms_key}"; it must be the ARN of a KMS key, not of an alias, like '
                f"arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
            )
        if self.access_logs_bucket and not _BUCKET.fullmatch(self.access_logs_bucket):
            raise SettingError(
                f'access_logs_bucket is "{self.access_logs_bucket}"; it must be the name of a bucket: 3 to 63 '
                f"lower-case letters, digits, hyphens and dots"
            )
        if bool(self.subnet_ids) != bool(self.security_group_ids):
            raise SettingError("subnet_ids and security_group_ids go together: give both, or neither")
        for name, prefix in (("subnet_ids", "subnet-"), ("security_group_ids", "sg-")):
            for given in getattr(self, name):
                if not re.fullmatch(f"{prefix}[0-9a-f]{{8,17}}", given):
                    raise SettingError(f'{name} has "{given}"; it must be IDs like {prefix}0123456789abcdef0')

    def crawls(self) -> dict[str, Crawl]:
        """The crawls of the catalogue. Raises `pageturner.errors.InvalidCrawlError` and `SettingError`."""
        try:
            return read_catalogue(Path(__file__).parent.parent / self.catalogue)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SettingError(f'catalogue is "{self.catalogue}", which cannot be read: {error}') from error


def _check_read_policy(name: str) -> None:
    if action := _NOT_ONLY_READ.get(name):
        raise SettingError(f'read_policies has "{name}", which does not only read: it allows {action}')
    if name not in _OTHER_READ_POLICIES and not _READ_POLICY.fullmatch(name):
        raise SettingError(
            f'read_policies has "{name}"; it must name AWS managed policies that only read: '
            f"{', '.join(_OTHER_READ_POLICIES)}, ReadOnlyAccess, or those of services, like AmazonS3ReadOnlyAccess"
        )


def _parse(name: str, default: Any, value: Any) -> Any:
    """Parse a context value, which is text if it comes from the command line."""
    kind = type(default)
    text = str(value)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is tuple:
            return tuple(value) if isinstance(value, list) else tuple(filter(None, text.split(",")))
        return kind(text)
    except (KeyError, ValueError) as error:
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise SettingError(f'{name} is "{text}"; it must be {wanted}') from error
