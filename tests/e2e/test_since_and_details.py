"""Only what is new, over three runs of which the second fails; and a bucket's policy as its detail."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from local.fault_proxy import Fault, Request, answering, json_error, s3_error
from tests.e2e.conftest import Deployed

GROUP = "/news"


def lists_events(request: Request) -> bool:
    return request.target == "Logs_20140328.FilterLogEvents"


def put(deployed: Deployed, messages: dict[str, int]) -> None:
    """Put events with these timestamps, in milliseconds."""
    deployed.emulator.client("logs").put_log_events(
        logGroupName=GROUP,
        logStreamName="s",
        logEvents=[
            {"message": message, "timestamp": at} for message, at in sorted(messages.items(), key=lambda e: e[1])
        ],
    )


def messages(deployed: Deployed, summary: dict[str, object]) -> list[str]:
    return sorted(json.loads(line["item"])["message"] for line in deployed.lines(summary))


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_the_third_run_lists_what_the_second_could_not_and_nothing_twice(deployed: Deployed) -> None:
    logs = deployed.emulator.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    now = round(time.time() * 1000)
    put(deployed, {"old": now - 60_000, "older": now - 3_600_000})

    first = deployed.run({"crawl": "news"})
    assert messages(deployed, first) == ["old", "older"]
    edge = milliseconds(first["window"]["to"])
    # On the edge of the window, the first run could have listed it, and the service takes both ends as inclusive.
    put(deployed, {"on the edge": edge, "behind it": edge + 1, "later": edge + 500})
    time.sleep(2.5)

    deployed.proxy.add(answering(lists_events, json_error("AccessDeniedException"), 1000))
    failed = deployed.wait(deployed.start({"crawl": "news"}))
    assert failed["status"] == "FAILED"
    assert "AccessDenied" in failed["cause"]
    deployed.proxy.clear()

    third = deployed.run({"crawl": "news"})
    assert third["window"]["from"] == first["window"]["to"]
    assert milliseconds(third["window"]["to"]) > edge
    assert deployed.manifest(third)["window"] == third["window"]
    assert messages(deployed, third) == ["behind it", "later"]
    # The table has all of them; what was put behind the time of a run is the lag's to cover.
    rows = deployed.query("SELECT message FROM news ORDER BY message")
    assert [row["message"] for row in rows] == ["behind it", "later", "old", "older"]
    assert datetime.now(UTC) > datetime.fromisoformat(third["window"]["to"])


def test_buckets_come_with_their_policies(deployed: Deployed) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    names = [f"with-{number}" for number in range(12)]
    for name in names:
        deployed.s3.create_bucket(Bucket=name)
    for name in names[::2]:
        deployed.s3.put_bucket_policy(Bucket=name, Policy=policy)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    deployed.s3.put_bucket_tagging(Bucket=names[1], Tagging=tags)
    asked: list[str] = []

    def is_policy(request: Request) -> bool:
        return request.method == "GET" and "/with-" in request.path and "policy" in request.path

    def note(request: Request) -> None:
        asked.append(request.path)

    # The page is throttled in the middle of its details, for longer than the quick second attempts of botocore.
    deployed.proxy.add(answering(is_policy, s3_error(503, "SlowDown"), 16, spared=3))
    deployed.proxy.add(Fault(is_policy, 1000, before=note))
    summary = deployed.run({"crawl": "policies"})

    items = {item["Name"]: item for item in (json.loads(line["item"]) for line in deployed.lines(summary))}
    assert sorted(items) == sorted(names)
    for name in names:
        try:
            expected = deployed.s3.get_bucket_policy(Bucket=name)["Policy"]
        except deployed.s3.exceptions.ClientError:
            expected = None
        assert (items[name]["Policy"] or {}).get("Policy") == expected
    assert items[names[1]]["Tagging"] == tags
    (target,) = deployed.manifest(summary)["targets"]
    # Six buckets have no policy, and eleven no tags.
    assert target["missing_details"] == 17
    assert target["pages"] == 1
    assert target["throttles"] >= 1
    # What had been answered is not asked for again.
    assert len(asked) <= len(names) + 4
    rows = deployed.query("SELECT key, policy IS NULL AS none FROM policies ORDER BY key")
    assert [row["key"] for row in rows] == sorted(names)
