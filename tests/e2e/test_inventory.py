"""The inventory of the emulator's account in one run, each listing compared with what boto3 itself lists."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.inventory import OWN, inventory
from pageturner.crawls.operations import plain_crawls
from pageturner.paging import api, pagination
from pageturner.paging.paginators import paginator_of
from pageturner.turn.records import item_json
from pageturner.turn.redacting import redacting
from tests.e2e.conftest import Deployed, loops_of

# The services that MiniStack answers for, with the operations that it refuses as it would on AWS.
SERVICES = (
    *("autoscaling", "backup", "cloudformation", "cloudfront", "cloudwatch", "dynamodb", "ec2", "ecs", "efs"),
    *("elasticache", "elbv2", "events", "iam", "inspector2", "kms", "lambda", "logs", "rds", "s3", "scheduler"),
    *("secretsmanager", "ses", "sns", "sqs", "stepfunctions", "waf", "waf-regional"),
)
# What the run itself changes while it lists, and what has the host in it that was asked.
DIFFER = {("logs", "describe_log_groups"), ("stepfunctions", "list_executions"), ("sqs", "list_queues")}
ASKED: dict[str, Any] = {
    "operations": "inventory",
    "except": [
        *sorted(f"{service}:*" for service in {service for service, _ in inventory()} - set(SERVICES)),
        # MiniStack takes at most 200 for MaxResults, the model up to 1,000.
        "ec2:describe_verified_access_*",
        # Many of the operations that it refuses: each is another target that fails.
        *(f"ec2:describe_{what}*" for what in ("capacity", "client", "ipam", "local", "t", "reserved")),
    ],
    "tolerate": ["failed"],
    "max_concurrency": 4,
}


def listed_by_boto3(deployed: Deployed, service: str, operation: str) -> list[tuple[str, str]] | None:
    """The items of an operation with their result keys, as JSON text without what is secret; None if the emulator
    refuses it.
    """
    client = deployed.emulator.client(service, config=Config(retries={"total_max_attempts": 1}))
    model, definition = api.operation_model(service, operation), paginator_of(service, operation, {}).definition
    method = redacting(service, operation, (), getattr(client, operation))
    found: list[tuple[str, str]] = []
    token: str | None = None
    try:
        while True:
            page = pagination.fetch_page(method, model, definition, OWN.get((service, operation), {}), {}, token=token)
            found += [(name, item_json(item)) for name, item in pagination.items(page.response, model, definition)]
            if (token := page.next_token) is None:
                return sorted(found)
    except (ClientError, BotoCoreError, MemoryError):
        return None


def everything(deployed: Deployed) -> dict[tuple[str, str], list[tuple[str, str]] | None]:
    crawl = parse_catalogue({"crawls": {"all": ASKED}})["all"]
    each = [(plain.service, plain.operation) for plain in plain_crawls(crawl)]
    return {operation: listed_by_boto3(deployed, *operation) for operation in each}


def test_an_inventory_of_the_account(deployed: Deployed, source: list[str]) -> None:
    deployed.emulator.client("sns").create_topic(Name="inventory")
    deployed.emulator.client("ec2").create_vpc(CidrBlock="10.7.0.0/16")
    with loops_of(deployed, seconds=100):
        listed = everything(deployed)
        summary = deployed.run(ASKED)

    manifest = deployed.manifest(summary)
    verdicts = {(each["service"], each["operation"]): each for each in manifest["targets"]}
    assert verdicts.keys() == listed.keys()
    items: Mapping[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    of_target = {each["target_id"]: operation for operation, each in verdicts.items()}
    for line in deployed.lines(summary):
        items[of_target[line["target"]]].append((line["result_key"], line["item"]))

    answered = [operation for operation, found in listed.items() if found is not None]
    equal = [each for each in answered if listed[each] == sorted(items[each])]
    assert set(answered) - set(equal) <= DIFFER
    assert any('"REDACTED"' in text for _, text in items["lambda", "list_functions"])
    assert len(equal) >= 150
    failed = {each: verdicts[each]["cause"] for each in answered if verdicts[each]["verdict"] != "complete"}
    assert not failed
    # What it refuses has its own verdict, and its reason, and hides nothing.
    refused = listed.keys() - set(answered)
    assert refused
    for each in refused:
        assert verdicts[each]["verdict"] == "failed"
        assert verdicts[each]["cause"]
    assert summary["targets"] == {"complete": len(answered), "failed": len(refused)}

    # One table over all of them, and one for each that has items.
    name = summary["published"]["table"]
    counts = f"SELECT service, operation, count(*) AS items FROM {name}_resources GROUP BY service, operation"  # noqa: S608
    resources = deployed.query(counts)
    counted = {(row["service"], row["operation"]): int(str(row["items"])) for row in resources}
    assert sum(counted.values()) == summary["published"]["rows"]
    assert counted["ec2", "describe_vpcs"] == len(items["ec2", "describe_vpcs"])
    found = deployed.query(f"SELECT vpcid, cidrblock FROM {name}_ec2_describe_vpcs ORDER BY vpcid")  # noqa: S608
    vpcs = deployed.emulator.client("ec2").describe_vpcs()["Vpcs"]
    assert found == sorted(({"vpcid": v["VpcId"], "cidrblock": v["CidrBlock"]} for v in vpcs), key=json.dumps)
    asked = f"SELECT id, arn, region FROM {name}_resources WHERE service = 'sns' AND id LIKE '%:inventory'"  # noqa: S608
    (topic,) = deployed.query(asked)
    assert topic == {"id": topic["arn"], "arn": "arn:aws:sns:us-east-1:000000000000:inventory", "region": "us-east-1"}
