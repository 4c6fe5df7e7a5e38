"""The keys of everything that is stored: S3 objects, and the rows of both tables.

`str.format` fills the templates. States.Format also fills some, because the Crawl machine records verdicts itself.
"""

from __future__ import annotations

import hashlib
from typing import Any

from pageturner.page_state import Place, Run, Target

# Partitions of the runs table: the records of a run, by run id; an execution that drives a run, by ARN; the lock and
# the triggers of a crawl, by the lock's name; the latest complete runs, the fence, and what is published, of a crawl,
# by name; the pace of a service in an account and a region, by run (or "deployment"), service, account and region; the
# runs of a crawl, by name; how all crawls are.
RUN = "run#{}"
EXECUTION = "execution#{}"
LOCK = "lock#{}"
TRIGGER = "trigger#{}"
LATEST = "latest#{}"
FENCE = "fence#{}"
LANE = "lane#{}"
PUBLISHED = "published#{}"
PACE = "pace#{}"
HISTORY = "history#{}"
STATUS = "status"
# The page of all runs.
INDEX = "runs/index.html"
# The records of a run, by target id (pages, verdicts, throttles, witnesses) or by listing id (comparisons). Passes and
# pages are padded to sort as numbers; page 0 is the beginning of a pass. A verdict has the generation of the run, and a
# comparison the last pass of the listing, so that those who are late write under a name that nobody reads any more.
THE_RUN = "run"
PAGE = "page#{}#{:04d}#{:08d}"
VERDICT = "verdict#{}#{}"
THROTTLES = "throttles#{}"
WITNESS = "witness#{}#{:04d}"
COMPARISON = "comparison#{}#{:04d}"
# DynamoDB Developer Guide, "Quotas".
_LONGEST_SORT_KEY = 1024


def row(partition: str, record: str) -> dict[str, Any]:
    """The primary key of a row, in DynamoDB's format."""
    return {"pk": {"S": partition}, "sk": {"S": record}}


def run_row(run_id: str, record: str) -> dict[str, Any]:
    """The primary key of a record of a run."""
    return row(RUN.format(run_id), record)


def failed_in(execution_id: str) -> str:
    """The attribute of a run's record that says at which of its redrives an execution failed the run."""
    return f"failed_in_{_hash(execution_id)[:16]}"


def prefix(template: str) -> str:
    """The common prefix of a template's sort keys."""
    return template.partition("{")[0]


def behind(record: str) -> str:
    """What sorts behind a sort key and all those that go on with a #, and before every other one."""
    return f"{record}$"


def pages_of(target_id: str) -> str:
    """The common prefix of the sort keys of a target's pages."""
    return f"{prefix(PAGE)}{target_id}#"


def page_prefix(run: Run, crawl_name: str) -> str:
    """The prefix of all page objects of a run; `crawl`, `date` and `run` are the partitions of a table over them."""
    return f"items/crawl={crawl_name}/date={run.date}/run={run.run_id}/"


def page_key(run: Run, crawl_name: str, target: Target, place: Place) -> str:
    """The key of the object of the page at `place`."""
    return f"{page_prefix(run, crawl_name)}{target.target_id}-{place.pass_number}-{place.page:08d}.jsonl.gz"


def unfinished_page_key(run: Run, target: Target, place: Place) -> str:
    """The key of the object that keeps the page at `place` until its items have their details. It expires."""
    return f"detailing/{run.run_id}/{target.target_id}-{place.pass_number}-{place.page:08d}.json.gz"


def targets_key(run: Run) -> str:
    """The key of the targets file."""
    return f"runs/{run.run_id}/targets.json"


def resumed_targets_key(run: Run, planned_by: str) -> str:
    """The key of the file with the targets that are resumed."""
    return f"runs/{run.run_id}/targets-{run.generation}-{_hash(planned_by)[:8]}.json"


def batches_key(targets: str) -> str:
    """The key of the file with the same targets in batches, which ShortTargets reads."""
    return _beside(targets, "batches")


def long_targets_key(targets: str) -> str:
    """The key of the file with those of the targets that ShortTargets has left, which LongTargets reads."""
    return _beside(targets, "long-targets")


def _beside(targets: str, name: str) -> str:
    folder, _, file = targets.rpartition("/")
    return f"{folder}/{name}{file.removeprefix('targets')}"


def token_key(run: Run, token: str) -> str:
    """The key of the object that holds a token too long for metadata and state."""
    return f"tokens/{run.run_id}/{_hash(token)}"


def manifest_key(run: Run) -> str:
    """The key of the manifest: every file with its counts and every target with its verdict."""
    return f"runs/{run.run_id}/manifest.json"


def report_key(run: Run) -> str:
    """The key of the report: what people look at."""
    return f"runs/{run.run_id}/report.html"


def manifest_prefix(run: Run) -> str:
    """The prefix of the parts of a manifest that is too large for one object."""
    return f"runs/{run.run_id}/manifest-{run.generation}/"


def finishing_prefix(run: Run) -> str:
    """The prefix of what the steps hand over in which FinishRun makes such a manifest. It expires soon."""
    return f"finishing/{run.run_id}/{run.generation}/"


def published_key(crawl_name: str, number: int) -> str:
    """The key of what is published of a crawl with a publication: its listings and columns."""
    return f"published/{crawl_name}/{number}.json"


def publishing_prefix(crawl_name: str, publication: str) -> str:
    """The prefix of what a publication is made of: its plan, and what its parts hand over. It expires soon."""
    return f"publishing/{crawl_name}/{publication}/"


def table_prefix(crawl_name: str, publication: str | None = None, table: str = "") -> str:
    """The prefix of the Parquet files of a crawl's publications, or of one, by its name.

    `table` is one of those of a crawl of several operations. No name of a crawl has a dot.
    """
    folder = f"{crawl_name}.{table.replace(':', '.')}" if table else crawl_name
    return f"tables/{folder}/" + (f"run={publication}/" if publication is not None else "")


def changes_prefix(crawl_name: str, publication: str) -> str:
    """The prefix of the Parquet files of what a publication changed."""
    return f"changes/crawl={crawl_name}/run={publication}/"


def comparison_prefix(crawl_name: str, runs: str) -> str:
    """The prefix of the Parquet files of how two runs differ that a person has compared."""
    return f"comparisons/{crawl_name}/{runs}/"


def summary_key(table: str, crawl_name: str, run: Run) -> str:
    """The key of a run's rows in the tables `runs` and `targets`."""
    return f"summaries/{table}/{crawl_name}/{run.run_id}.parquet"


def partition_key(crawl_name: str, listing_id: str) -> str:
    """The partition key of a listing's items: the same for all its parts, which differ from run to run."""
    return f"{crawl_name}#{listing_id}"


def listing_row(crawl_name: str, account: str, region: str, listing_id: str) -> dict[str, Any]:
    """The primary key of a listing in the items table. No name of a crawl has a #, so no item has its partition key."""
    return row(crawl_name, f"{account}#{region}#{listing_id}")


def sort_key(key: str) -> str:
    """The sort key of an item: its identity, or a hash of it if DynamoDB does not accept it."""
    encoded = key.encode("utf-8", errors="surrogatepass")
    if 0 < len(encoded) <= _LONGEST_SORT_KEY and not any("\ud800" <= character <= "\udfff" for character in key):
        return key
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def told_apart(key: str, item: str) -> str:
    """The key of an item that may share `key` with other items; `item` is its canonical JSON text."""
    return f"{key}#{item_hash(item)}"


def item_hash(item: str) -> str:
    """A hash of an item's canonical JSON text: 64 bits, to be unique among the items that share a key."""
    return _hash(item)[:16]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
