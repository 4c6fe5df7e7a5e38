"""Links to the AWS console."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from pageturner.paging import api

_HOSTS = {
    "aws-cn": "console.amazonaws.cn",
    "aws-eusc": "console.amazonaws-eusc.eu",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True)
class Console:
    """Links to the console of a region."""

    region: str

    def execution(self, arn: str) -> str:
        """A link to a Step Functions execution."""
        return f"{self._home('states')}#/v2/executions/details/{arn}"

    def objects(self, bucket: str, prefix: str) -> str:
        """A link to the objects in a bucket under a prefix."""
        return f"{self._host()}/s3/buckets/{bucket}?region={self.region}&prefix={quote(prefix, safe='')}"

    def object(self, bucket: str, key: str) -> str:
        """A link to an object in a bucket."""
        return f"{self._host()}/s3/object/{bucket}?region={self.region}&prefix={quote(key, safe='')}"

    def table(self, name: str) -> str:
        """A link to the items of a DynamoDB table."""
        return f"{self._home('dynamodbv2')}#item-explorer?table={quote(name, safe='')}"

    def _home(self, service: str) -> str:
        return f"{self._host()}/{service}/home?region={self.region}"

    def _host(self) -> str:
        host = _HOSTS.get(api.partition_of(self.region), "console.aws.amazon.com")
        return f"https://{self.region}.{host}"
