"""`make demo`: the real stack on the emulator, a crawl with trouble, an inventory, and SQL, each compared with boto3.

With ``--keep`` (`make local`) everything keeps running afterwards, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import textwrap
from collections.abc import Mapping, Sequence

from botocore.exceptions import EndpointConnectionError, HTTPClientError

from infra.catalogue import read_catalogue
from local import trouble
from local.command import CommandError
from local.deployment import Deployment
from local.emulator import PROJECT, Emulator, EmulatorError, stop_on_signals
from local.fault_proxy import FaultProxy
from local.progress import Line, field, progress, shortened, width
from local.runs import OwnListing, Runs, deployment_on, listed_by_boto3
from local.seed import BUCKET, change, seed
from pageturner.crawls.crawl import Crawl
from pageturner.messages import count_of
from pageturner.table_names import table_name
from pageturner_cli import athena, showing
from pageturner_cli.failures import Failure
from pageturner_cli.text import columns_of, table
from pageturner_cli.watching import Progress

CATALOGUE = "local/demo.yaml"
TROUBLED = "s3-objects"
ACCOUNT = "account"
# A twentieth of each wait of the state machines, and PageLoops of a second, so that a listing of 40 pages meets in a
# minute what one of 40,000 meets in hours.
_WAIT_SCALE = 0.05
_LOOP_SECONDS = "1"
_ITEMS_SHOWN = 2
# What the demo asks in SQL, and the README shows.
LARGEST = f"""\
SELECT key, size FROM {table_name(TROUBLED)}
ORDER BY size DESC, key LIMIT 3"""  # noqa: S608 - a constant
BY_STORAGE = f"""\
SELECT storageclass, count(*) AS objects, sum(size) AS bytes
FROM {table_name(TROUBLED)} GROUP BY storageclass"""  # noqa: S608 - a constant
# The operations whose counts are compared, by the types that `resources` gives to their items.
BOTH_KNOW = (
    ("dynamodb", "table", "list_tables"),
    ("events", "rule", "list_rules"),
    ("iam", "role", "list_roles"),
    ("lambda", "function", "list_functions"),
    ("s3", "bucket", "list_buckets"),
    ("stepfunctions", "state_machine", "list_state_machines"),
)
OF_ACCOUNT = f"""\
SELECT service, type, count(*) AS items FROM {ACCOUNT}_resources
WHERE type IN ({", ".join(f"'{kind}'" for _, kind, _ in BOTH_KNOW)})
GROUP BY service, type ORDER BY service, type"""  # noqa: S608 - a constant
CHANGED = f"""\
SELECT kind, key, fields FROM changes
WHERE crawl = '{TROUBLED}' AND run = '{{}}' ORDER BY key"""  # noqa: S608 - a constant


def main() -> int:
    """Run the demo. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the emulator and the stack running until Ctrl-C")
    keep = parser.parse_args().keep
    stop_on_signals()
    try:
        # The functions reach the emulator through the proxy, which can answer in its place.
        with FaultProxy() as proxy, Emulator(wait_scale=_WAIT_SCALE, lambda_endpoint_url=proxy.url) as emulator:
            proxy.upstream = emulator.url
            return _demo(emulator, proxy, keep=keep)
    except (EmulatorError, CommandError, Failure) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except (EndpointConnectionError, HTTPClientError) as error:
        print(f"\nThe emulator no longer answers: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped, and cleaned up.")
        # It is the way to end `make local`.
        return 0 if keep else 128 + signal.SIGINT


def _demo(emulator: Emulator, proxy: FaultProxy, *, keep: bool) -> int:
    print(f"MiniStack, an AWS emulator, listens on {emulator.url}")
    context = {"catalogue": CATALOGUE, "loop_seconds": _LOOP_SECONDS, "adhoc_crawls": "true"}
    with Deployment(emulator, context) as deployment:
        with progress("Synthesizing the stack") as line:
            deployment.synth(line.show)
            line.show("")
        with progress("Bootstrapping the CDK") as line:
            deployment.bootstrap(line.show)
            line.show("")
        with progress("Deploying the stack") as line:
            outputs = deployment.deploy(line.show)
            line.show(f"state machine {outputs['CrawlMachineArn'].rpartition(':')[2]}")
    with progress("Putting botocore's data files into a bucket and a table") as line:
        objects, rows = seed(emulator)
        line.show(f"{objects:,} objects, {rows:,} rows")

    catalogue = read_catalogue(PROJECT / CATALOGUE)
    demo = Demo(Runs(deployment_on(emulator, outputs)), emulator, proxy)
    troubled, account = catalogue.pop(TROUBLED), catalogue.pop(ACCOUNT)
    proven = [demo.with_trouble(troubled), *map(demo.plainly, catalogue.values())]
    proven += [demo.in_sql(troubled), demo.changed(troubled), demo.inventory(account)]
    _say_what_is_next(emulator, outputs, keep=keep)
    if keep:
        signal.pause()
    return 0 if all(proven) else 1


class Demo:
    """The crawls and the queries of the demo. Each returns whether what it found is what boto3 lists."""

    def __init__(self, runs: Runs, emulator: Emulator, proxy: FaultProxy) -> None:
        self._runs = runs
        self._emulator = emulator
        self._proxy = proxy

    def with_trouble(self, crawl: Crawl) -> bool:
        """Ask what the crawl would do; run it while everything goes wrong; stop it; resume it."""
        self._dry_run(crawl)
        own = listed_by_boto3(self._emulator, crawl)
        asked = {"crawl": crawl.name}
        print(f"\n▶ {json.dumps(asked)}, with trouble in its way")
        with progress("Crawling") as line:
            trouble.put_in_the_way(self._proxy, self._emulator, BUCKET, lambda text: _say(line, text))
            run_id = ""

            def go_on(found: Progress) -> bool:
                nonlocal run_id
                run_id = found.run_id
                line.show(_pages(found, own))
                return found.pages < trouble.STOPPED_AT

            if self._runs.output(asked, go_on) is None:
                _say(line, f"page {trouble.STOPPED_AT}: StopExecution. The run is cut off in the middle.")
        return self._run({"resume": run_id}, crawl, own)

    def plainly(self, crawl: Crawl) -> bool:
        """Run the crawl."""
        return self._run({"crawl": crawl.name}, crawl, listed_by_boto3(self._emulator, crawl))

    def in_sql(self, crawl: Crawl) -> bool:
        """Ask Athena two questions about the items of a crawl."""
        items = listed_by_boto3(self._emulator, crawl).items
        largest = sorted(items, key=lambda item: (-item["Size"], item["Key"]))[:3]
        expected = [{"key": item["Key"], "size": str(item["Size"])} for item in largest]
        counted = {"storageclass": "STANDARD", "objects": str(len(items)), "bytes": str(sum(i["Size"] for i in items))}
        return all([self._query(LARGEST, expected), self._query(BY_STORAGE, [counted])])

    def changed(self, crawl: Crawl) -> bool:
        """Put an object, change one and delete one; crawl again, and ask what has changed."""
        expected = change(self._emulator)
        summary = self._runs.output({"crawl": crawl.name}, lambda _: True) or {}
        kinds = ", ".join(f"{kind} {key}" for key, kind in sorted(expected.items()))
        print(f"\n▶ {json.dumps({'crawl': crawl.name})}, when something has changed: {kinds}")
        print(field("verdict", summary["message"]))
        asked = CHANGED.format(summary["published"]["name"])
        fields = {"new": "[]", "gone": "[]", "changed": "['ETag', 'LastModified', 'Size']"}
        rows = [{"kind": kind, "key": key, "fields": fields[kind]} for key, kind in sorted(expected.items())]
        return self._query(asked, rows)

    def inventory(self, crawl: Crawl) -> bool:
        """Crawl several operations at once, and ask what the account has."""
        asked = {"crawl": crawl.name}
        print(f"\n▶ {json.dumps(asked)}, an inventory: {', '.join(crawl.operations)}")
        with progress("Crawling") as line:

            def show(found: Progress) -> bool:
                line.show(showing.detail(found))
                return True

            summary = self._runs.output(asked, show) or {}
        print(field("verdict", summary["message"].partition("; ")[0]))
        print(field("cost", f"about ${summary['estimated_cost']:.4f} on AWS"))
        expected = [
            {"service": service, "type": kind, "items": str(len(items))}
            for service, kind, operation in BOTH_KNOW
            if (items := listed_by_boto3(self._emulator, crawl.of(service, operation)).items)
        ]
        return self._query(OF_ACCOUNT, expected)

    def _query(self, query: str, expected: Sequence[Mapping[str, str]]) -> bool:
        print("\n▶ " + query.replace("\n", "\n  "))
        rows = list(athena.query(self._runs.deployment, query))
        for line in table(columns_of(rows), (list(row.values()) for row in rows), width() - 2) if rows else ["no rows"]:
            print(f"  {shortened(line, 2)}")
        equal = rows == expected
        print(
            field("proof", "boto3's own listing says the same ✓" if equal else f"boto3 says {expected}: they differ ✗")
        )
        return equal

    def _dry_run(self, crawl: Crawl) -> None:
        asked = {"crawl": crawl.name, "dry_run": True}
        print(f"\n▶ {json.dumps(asked)}")
        with progress("Asking"):
            report = self._runs.answer(asked)
        print(field("plan", report["message"].partition(": ")[2]))

    def _run(self, asked: Mapping[str, str], crawl: Crawl, own: OwnListing) -> bool:
        print(f"\n▶ {json.dumps(asked)}")
        with progress("Crawling") as line:

            def show(found: Progress) -> bool:
                line.show(_pages(found, own))
                return True

            summary = self._runs.output(asked, show) or {}
        items = self._runs.items(summary)
        equal = items == own.items
        # The sentence ends with its witness.
        for label, text in (
            ("verdict", summary["message"].partition("; ")[0]),
            ("witness", self._runs.witness(summary) or "nobody else counts this listing"),
            ("trouble", f"{count_of(summary['throttles'], 'throttle')}, {count_of(summary['restarts'], 'restart')}"),
            ("cost", f"about ${summary['estimated_cost']:.4f} on AWS"),
            ("items", summary["items_prefix"]),
            ("manifest", summary["manifest"]),
        ):
            print(field(label, text))
        for item in items[:_ITEMS_SHOWN]:
            print(f"  {'':9}{shortened(json.dumps(item, ensure_ascii=False), 11)}")
        compared = f"boto3's own paginator lists {len(own.items):,} items of {crawl.service} {crawl.operation}"
        differ = f"{compared}, and the run has {len(items):,}: they differ ✗"
        print(field("proof", f"{compared}: the same, in the same order ✓" if equal else differ))
        return equal


def _pages(found: Progress, own: OwnListing) -> str:
    return f"page {found.pages:,} of {own.pages:,} · {found.items:,} items"


def _say(line: Line, text: str) -> None:
    line.say(textwrap.fill(text, width=width(), initial_indent="  ⚡ ", subsequent_indent="    "))


def _say_what_is_next(emulator: Emulator, outputs: Mapping[str, str], *, keep: bool) -> None:
    print("\nNext")
    if not keep:
        print(field("local", "make local does the same, and keeps it running for your own AWS CLI"))
        print(field("terminal", ".venv/bin/pageturner start, watch, why: docs/terminal.md"))
        print(field("yours", "crawls.yaml is the catalogue: put your own crawls there"))
        print(field("deploy", "README.md tells how to deploy to an account"))
        return
    print("  In another terminal:")
    print(f"    export AWS_ENDPOINT_URL={emulator.url}")
    print("    export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1")
    print("  Deploy your own crawls.yaml, and start one of its crawls:")
    print("    make deploy")
    print(f"    aws stepfunctions start-execution --state-machine-arn {outputs['CrawlMachineArn']} \\")
    print("""      --input '{"crawl": "iam-policies"}'""")
    print("  Or with the terminal (docs/terminal.md):")
    print("    .venv/bin/pageturner start iam-policies --watch")
    print("    .venv/bin/pageturner show iam-policies")
    print("  Look around:")
    print(f"    aws s3 ls --recursive s3://{outputs['ItemsBucket']}/runs/")
    print(f"    aws dynamodb scan --max-items 3 --table-name {outputs['ItemsTable']}")
    print("  Ask in SQL, and read the answer:")
    print(f"    aws athena start-query-execution --work-group {outputs['WorkGroup']} \\")
    print(f"      --query-execution-context Database={outputs['Database']} \\")
    print(f"      --query-string '{' '.join(LARGEST.split())}'")
    print("    aws athena get-query-results --output text --query-execution-id <QueryExecutionId>")
    print("  Ctrl-C stops everything and leaves nothing behind.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
