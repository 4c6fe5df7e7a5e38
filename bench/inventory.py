"""Measures what an inventory takes: the memory of a FetchPage that goes through all of its services, and its plan.

Each measurement runs in its own process. The baseline keeps the models of all services, as boto3 does.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from pageturner import clients
from pageturner.crawls.catalogue import parse_input
from pageturner.crawls.inventory import inventory
from pageturner.paging import answers, api
from pageturner.paging.identity import keys_of
from pageturner.paging.paginators import paginator_of
from pageturner.plan.expansion import Expansion

MEMORY_MB = 256
_ACCOUNT, _REGIONS = "111111111111", ["us-east-1", "eu-west-1"]
_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1", "ACCOUNT": _ACCOUNT}


def fetch() -> str:
    """Get ready to fetch a page of each operation: its client, its paginator, what its answers mean."""
    for service, operation in inventory():
        clients.client(service, "us-east-1", _ACCOUNT)
        keys_of(service, operation, paginator_of(service, operation, {}).definition, None, None)
        answers.error_members(api.operation_model(service, operation))
    return f"{len(inventory()):,} operations of {len({service for service, _ in inventory()})} services"


def naive_fetch() -> str:
    """The same, and keep what was loaded."""
    api.MOST_SERVICES = 1_000
    return fetch()


def plan() -> str:
    """Find the targets of an inventory in two regions."""
    nothing: Any = None
    crawl = parse_input({"operations": "inventory", "regions": _REGIONS}, {})
    expansion = Expansion(nothing, nothing, {}, _ACCOUNT, "us-east-1")
    return f"{sum(1 for _ in expansion.targets(crawl, None)):,} targets in {len(_REGIONS)} regions"


MEASURED: dict[str, Callable[[], str]] = {"fetch": fetch, "naive_fetch": naive_fetch, "plan": plan}


def main() -> int:
    """Measure the named function, or each function in its own process. Returns the exit code."""
    if len(sys.argv) > 1:
        began = time.process_time()
        what = MEASURED[sys.argv[1]]()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024
        print(json.dumps({"what": what, "seconds": time.process_time() - began, "megabytes": peak}))
        return 0
    environment = {**os.environ, **_ENVIRONMENT}
    command = [sys.executable, "-m", "bench.inventory"]
    found = {
        name: json.loads(subprocess.run([*command, name], check=True, stdout=subprocess.PIPE, env=environment).stdout)
        for name in MEASURED
    }
    for name, measured in found.items():
        ratio = measured["megabytes"] / found["naive_fetch"]["megabytes"]
        print(
            f"{name:12} {measured['seconds']:5.1f} s of CPU {measured['megabytes']:5.0f} MB "
            f"{ratio:5.2f} times naive_fetch's memory   {measured['what']}"
        )
    return 0 if max(found["fetch"]["megabytes"], found["plan"]["megabytes"]) < MEMORY_MB else 1


if __name__ == "__main__":
    sys.exit(main())
