"""Measures what a page costs: the CPU time of FetchPage beside bare boto3's paginator. `make bench-page` runs it.

A server in its own process has canned answers of five shapes, and takes the page objects and the checkpoints. boto3 and
FetchPage turn the same pages of it, by turns, each in a fresh process. boto3 drops its pages; FetchPage's time includes
the state in and out, the lines, gzip, both writes, logs and metrics. What counts is the ratio of the medians.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any
from urllib.parse import quote

import boto3

from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Place, Run, Target

ROUNDS = 5
WARM_UP = 3
# The memory of a function that has turned this many pages, beside that of one that has just begun.
PAGES_IN_MEMORY = (10, 1500)
ACCOUNT, REGION = "111111111111", "us-east-1"
STARTED_AT = "2026-01-01T00:00:00.000Z"
_TOKEN = "@token@"  # noqa: S105 - a place in the answers for the token


@dataclass(frozen=True)
class Shape:
    """A listing: its crawl and parameters, and `answer`, which makes the body of a page with `_TOKEN` in it.

    A page has so many `items`. FetchPage may take `goal` times boto3's CPU time. `pages` are measured at a time.
    """

    service: str
    operation: str
    answer: Callable[[], str]
    items: int
    goal: float
    pages: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    page_size: int | None = None


def _time(number: int) -> str:
    return f"2026-01-{number % 28 + 1:02}T{number % 24:02}:04:05.000Z"


def _objects() -> str:
    made = "".join(
        f"<Contents><Key>logs/2026/{n % 12 + 1:02}/server-{n % 97:02}/{n:09}.json.gz</Key>"
        f"<LastModified>{_time(n)}</LastModified><ETag>&quot;{n * 0x9E3779B97F4A7C15 % 2**128:032x}&quot;</ETag>"
        f"<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        f"<Size>{n * 7919 % 10**7}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for n in range(1000)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Name>a-bucket</Name><Prefix></Prefix><MaxKeys>1000</MaxKeys><KeyCount>1000</KeyCount>"
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{_TOKEN}</NextContinuationToken>{made}"
        "</ListBucketResult>"
    )


def _scanned() -> str:
    items = [
        {
            "pk": {"S": f"customer#{n:08}"},
            "sk": {"S": f"order#{_time(n)}#{n:06}"},
            "total": {"N": f"{n * 37 % 9999}.95"},
        }
        | {"state": {"S": ("paid", "sent", "open")[n % 3]}, "paid": {"BOOL": n % 3 == 0}, "version": {"N": str(n % 9)}}
        | {"address": {"M": {"city": {"S": f"City {n % 50}"}, "zip": {"S": f"{n % 99999:05}"}}}}
        | {"lines": {"L": [{"M": {"sku": {"S": f"sku-{n * each % 997}"}, "count": {"N": "2"}}} for each in (3, 5)]}}
        for n in range(1000)
    ]
    last = {"pk": {"S": _TOKEN}, "sk": {"S": "order"}}
    return json.dumps({"Count": 1000, "ScannedCount": 1000, "Items": items, "LastEvaluatedKey": last})


def _instance(n: int) -> str:
    def an_id(kind: str, of: int = 0) -> str:
        return f"{kind}-{(n * 10 + of) * 0x9E3779B97F4A7C15 % 2**68:017x}"

    groups = f"<groupSet><item><groupId>{an_id('sg')}</groupId><groupName>group-{n % 9}</groupName></item></groupSet>"
    disks = "".join(
        f"<item><deviceName>/dev/sd{letter}</deviceName><ebs><volumeId>{an_id('vol', of)}</volumeId>"
        f"<status>attached</status><attachTime>{_time(n)}</attachTime><deleteOnTermination>true</deleteOnTermination>"
        "</ebs></item>"
        for of, letter in enumerate("ab")
    )
    tags = "".join(f"<item><key>company:tag-{of}</key><value>value-{n % 7}</value></item>" for of in range(6))
    card = (
        f"<item><networkInterfaceId>{an_id('eni')}</networkInterfaceId><subnetId>{an_id('subnet')}</subnetId>"
        f"<vpcId>{an_id('vpc')}</vpcId><description/><ownerId>{ACCOUNT}</ownerId><status>in-use</status>"
        f"<macAddress>02:00:00:00:00:{n % 99:02}</macAddress><privateIpAddress>10.0.0.{n % 250}</privateIpAddress>"
        f"<privateDnsName>ip-10-0-0-{n % 250}.ec2.internal</privateDnsName><sourceDestCheck>true</sourceDestCheck>"
        f"{groups}<attachment><attachmentId>{an_id('eni-attach')}</attachmentId><deviceIndex>0</deviceIndex>"
        f"<status>attached</status><attachTime>{_time(n)}</attachTime><deleteOnTermination>true</deleteOnTermination>"
        f"<networkCardIndex>0</networkCardIndex></attachment><privateIpAddressesSet><item><privateIpAddress>10.0.0."
        f"{n % 250}</privateIpAddress><primary>true</primary></item></privateIpAddressesSet><ipv6AddressesSet/>"
        "<interfaceType>interface</interfaceType></item>"
    )
    return (
        f"<item><reservationId>{an_id('r')}</reservationId><ownerId>{ACCOUNT}</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>{an_id('i')}</instanceId><imageId>{an_id('ami')}</imageId><instanceState><code>16</code>"
        "<name>running</name></instanceState><privateDnsName>ip-10-0-0-1.ec2.internal</privateDnsName><dnsName/>"
        "<reason/><keyName>a-key</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>"
        f"<instanceType>m7g.large</instanceType><launchTime>{_time(n)}</launchTime><placement><availabilityZone>"
        "us-east-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement><monitoring><state>disabled"
        f"</state></monitoring><subnetId>{an_id('subnet')}</subnetId><vpcId>{an_id('vpc')}</vpcId><privateIpAddress>"
        f"10.0.0.{n % 250}</privateIpAddress><sourceDestCheck>true</sourceDestCheck>{groups}<architecture>arm64"
        "</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/sda</rootDeviceName>"
        f"<blockDeviceMapping>{disks}</blockDeviceMapping><virtualizationType>hvm</virtualizationType><clientToken/>"
        f"<tagSet>{tags}</tagSet><hypervisor>xen</hypervisor><networkInterfaceSet>{card}</networkInterfaceSet>"
        f"<iamInstanceProfile><arn>arn:aws:iam::{ACCOUNT}:instance-profile/web</arn><id>AIPAEXAMPLE</id>"
        "</iamInstanceProfile><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><cpuOptions><coreCount>2"
        "</coreCount><threadsPerCore>1</threadsPerCore></cpuOptions><metadataOptions><state>applied</state><httpTokens>"
        "required</httpTokens><httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>"
        "</metadataOptions><enclaveOptions><enabled>false</enabled></enclaveOptions><platformDetails>Linux/UNIX"
        "</platformDetails><usageOperation>RunInstances</usageOperation></item></instancesSet></item>"
    )


def _reservations() -> str:
    made = "".join(_instance(n) for n in range(200))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/'
        f'2016-11-15/"><requestId>8f7724cf-496f-496e-8fe3-example</requestId><reservationSet>{made}</reservationSet>'
        f"<nextToken>{_TOKEN}</nextToken></DescribeInstancesResponse>"
    )


def _roles() -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = quote(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    made = "".join(
        f"<member><Path>/service/</Path><RoleName>role-{n:05}</RoleName><RoleId>AROA{n:017}</RoleId>"
        f"<Arn>arn:aws:iam::{ACCOUNT}:role/service/role-{n:05}</Arn><CreateDate>{_time(n)[:-5]}Z</CreateDate>"
        f"<AssumeRolePolicyDocument>{policy}</AssumeRolePolicyDocument><Description>The role of function {n}"
        "</Description><MaxSessionDuration>3600</MaxSessionDuration></member>"
        for n in range(200)
    )
    return (
        '<ListRolesResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListRolesResult><IsTruncated>true'
        f"</IsTruncated><Roles>{made}</Roles><Marker>{_TOKEN}</Marker></ListRolesResult><ResponseMetadata><RequestId>"
        "20f7279f-99ee-11e1-a4c3-example</RequestId></ResponseMetadata></ListRolesResponse>"
    )


def _events() -> str:
    began = 1_767_225_600_000
    events = [
        {"logStreamName": f"2026/01/01/[$LATEST]{n % 20:032x}", "timestamp": began + n * 17, "ingestionTime": began + n}
        | {"message": f"{_time(n)} INFO {n * 7919:08x} GET /orders/{n} 200 in {n % 90} ms for customer {n % 97}\n"}
        | {"eventId": f"{38_000_000_000_000_000_000 + n:056}"}
        for n in range(1000)
    ]
    return json.dumps({"events": events, "searchedLogStreams": [], "nextToken": _TOKEN})


SHAPES: Mapping[str, Shape] = {
    "objects": Shape("s3", "list_objects_v2", _objects, 1000, 0.7, 40, {"Bucket": "a-bucket"}, 1000),
    "items": Shape("dynamodb", "scan", _scanned, 1000, 1.3, 40, {"TableName": "a-table"}),
    "reservations": Shape("ec2", "describe_instances", _reservations, 200, 0.7, 20, {}, 1000),
    "roles": Shape("iam", "list_roles", _roles, 200, 0.9, 60, {}, 1000),
    "events": Shape("logs", "filter_log_events", _events, 1000, 2.0, 60, {"logGroupName": "a-group"}),
}


class _Answers(BaseHTTPRequestHandler):
    """Answers a listing with its next page, and accepts a page's writes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    answer = ("", "")  # around the token
    pages = 0

    def _respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind = type(self)
        operation = (self.headers.get("X-Amz-Target") or "").rpartition(".")[2]
        writes = {"": b"", "PutItem": b"{}", "GetItem": b'{"Item": {"run_id": {"S": "a-run"}}}'}
        if self.command == "PUT" or operation in ("PutItem", "GetItem"):
            answer = writes[operation]
        else:
            kind.pages += 1
            answer = f"token-{kind.pages:08}".join(kind.answer).encode()
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = _respond  # noqa: N815 - as http.server names them

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def serve(name: str) -> None:
    """Serve the pages of a shape until the input ends; print the port."""
    before, _, after = SHAPES[name].answer().partition(_TOKEN)
    handler = type("Handler", (_Answers,), {"answer": (before, after)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


@contextmanager
def _served(name: str) -> Iterator[None]:
    """Have all clients ask a server with the pages of a shape. They need no account."""
    command = [sys.executable, "-m", "bench.page", "serve", name]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:
        assert server.stdout is not None
        os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
        os.environ |= {"AWS_DEFAULT_REGION": REGION, "AWS_CONFIG_FILE": os.devnull}
        os.environ |= {"ACCOUNT": ACCOUNT, "ITEMS_BUCKET": "pages", "ITEMS_TABLE": "items", "RUNS_TABLE": "runs"}
        os.environ |= {"LOOP_SECONDS": "1e9", "READER_ROLE_ARN": "", "EXTERNAL_ID": ""}
        yield
        server.communicate()


def _turned_by_boto3(shape: Shape) -> Iterator[Any]:
    pages = boto3.client(shape.service).get_paginator(shape.operation)  # type: ignore[call-overload]
    return iter(pages.paginate(**shape.parameters, PaginationConfig={"PageSize": shape.page_size}))


class _LambdaContext:
    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"
    aws_request_id = "request"


def _turned_by_fetch_page(shape: Shape) -> Iterator[Any]:
    """Call FetchPage as PageLoop does: the state comes and goes as JSON text."""
    import fetch_page

    run = Run("a-run", "2026-01-01", STARTED_AT, "2126-01-01T00:00:00.000Z", 0, execution="an-execution")
    crawl = Crawl("a-crawl", shape.service, shape.operation).for_pages()
    target = Target(f"{ACCOUNT}-{REGION}-0123456789", ACCOUNT, REGION, shape.parameters).as_dict()
    state = {"run": asdict(run), "crawl": crawl, "target": target, "loop_started_at": STARTED_AT, "retry_count": 0}
    place = json.dumps(Place().as_dict())
    while True:
        event = json.loads(f'{json.dumps(state)[:-1]}, "place": {place}}}')
        after = fetch_page.handler(event, _LambdaContext())
        place = json.dumps(after)
        yield after


TURNED: Mapping[str, Callable[[Shape], Iterator[Any]]] = {
    "boto3": _turned_by_boto3,
    "FetchPage": _turned_by_fetch_page,
}


def cpu(name: str, by: str, pages: int) -> dict[str, float]:
    """Turn pages of a shape, and return for each the milliseconds of CPU, and the items and bytes that were written."""
    shape = SHAPES[name]
    with _served(name):
        turning = TURNED[by](shape)
        _turn(turning, WARM_UP)
        began = time.process_time()
        last = _turn(turning, pages)
        taken = time.process_time() - began
    written = {of: last[of] / (WARM_UP + pages) for of in ("items", "bytes")} if by == "FetchPage" else {}
    return {"milliseconds": taken * 1000 / pages, **written}


def memory(name: str, few: int, many: int) -> dict[str, float]:
    """Return the peak memory, in MB, of FetchPage after a few pages, and after many."""
    with _served(name):
        turning = _turned_by_fetch_page(SHAPES[name])
        _turn(turning, few)
        after_few = _peak()
        _turn(turning, many - few)
        return {"few": after_few, "many": _peak()}


def _turn(turning: Iterator[Any], pages: int) -> Any:
    (last,) = deque(islice(turning, pages), maxlen=1)
    return last


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024


def _measured(*arguments: Any) -> dict[str, float]:
    """Measure in a fresh process, whose standard output has the logs and, at last, what was measured."""
    command = [sys.executable, "-m", "bench.page", *map(str, arguments)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def main(arguments: list[str]) -> int:
    """Measure one thing, or compare the named shapes (none: all). Returns the exit code: 1 if a goal is missed."""
    match arguments:
        case ["serve", name]:
            serve(name)
            return 0
        case ["cpu", name, by, pages]:
            print(json.dumps(cpu(name, by, int(pages))))
            return 0
        case ["memory", name, few, many]:
            print(json.dumps(memory(name, int(few), int(many))))
            return 0
    met = True
    print(f"{'page':30}{'boto3':>9}{'FetchPage':>11}{'ratio':>7}{'goal':>6}{'object':>11}")
    for name in arguments or SHAPES:
        shape = SHAPES[name]
        rounds = [{by: _measured("cpu", name, by, shape.pages) for by in TURNED} for _ in range(ROUNDS)]
        boto, ours = (statistics.median(each[by]["milliseconds"] for each in rounds) for by in TURNED)
        met = met and ours / boto <= shape.goal
        operation, size = f"{shape.service} {shape.operation}", rounds[0]["FetchPage"]["bytes"] / 1000
        print(
            f"{operation:30}{boto:6.1f} ms{ours:8.1f} ms{ours / boto:7.2f}{shape.goal:6.1f}{size:8.1f} KB", flush=True
        )
    first, last = PAGES_IN_MEMORY
    name = next(iter(arguments or SHAPES))
    peak = _measured("memory", name, first, last)
    print(f"peak memory ({name}): {peak['few']:.0f} MB after {first} pages, {peak['many']:.0f} MB after {last:,}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
