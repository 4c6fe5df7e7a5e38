"""Measures the CPU time of a cold start of FetchPage, beside boto3's. `make bench` runs it.

Every start is a fresh process that finds nothing but one folder, which it cannot write: Lambda's is read-only too. The
baseline is boto3 as pip installs it, with bytecode, until it has its first client. CPU time is the user's and the
system's, as the system counts it for the process that has ended. In each round, all start one after the other, and a
ratio is the median of the rounds' own, because a machine that is busy slows down its neighbours alike.

``python -m bench.cold_start imports`` says which modules take longest to import.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from infra.function_code import bundling_of
from infra.settings import Settings
from pageturner.crawls.crawl import Crawl
from pageturner.page_state import Place, Run, Target

ROUNDS = 9
REGION, ACCOUNT = "us-east-1", "111111111111"
# Of the asset, what boto3 needs.
_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
_ENVIRONMENT = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "ACCOUNT": ACCOUNT,
    "ITEMS_BUCKET": "items",
    "ITEMS_TABLE": "items",
    "RUNS_TABLE": "runs",
    "LOOP_SECONDS": "120",
}
_EVENT = {
    "run": vars(Run("r", "2026-01-01", "2026-01-01T00:00:00.000Z", "9999-01-01T00:00:00.000Z", 0, "e")),
    "crawl": Crawl("objects", "s3", "list_objects_v2", key="Key", parameters={"Bucket": "b"}).as_dict(),
    "target": Target("t", ACCOUNT, REGION, {"Bucket": "b"}).as_dict(),
    "place": Place().as_dict(),
    "retry_count": 0,
}
_FIND = "import sys; sys.path[:0] = sys.argv[1:]\n"
BOTO3 = f"{_FIND}import boto3; boto3.client('s3')"
FIRST_CLIENT = f"{_FIND}import fetch_page; fetch_page.clients.client('s3', {REGION!r}, {ACCOUNT!r})"
# All that comes before the first crawled request, with the clients of the stores; but it asks DynamoDB nothing.
FIRST_INVOCATION = f"""{_FIND}
import json, fetch_page
from dataclasses import replace
def client(*where):
    raise SystemExit(getattr(fetch_page.clients.client(*where), 'list_objects_v2') is None)
state = fetch_page.PageState.from_event(json.loads({json.dumps(_EVENT)!r}))
step = fetch_page._page_step()
fetch_page._stop_check().stores.executions, step.stores.checkpoints, step.stores.pages
replace(step, client=client).turn(state)
"""


def cpu_seconds(script: str, folders: Sequence[Path], *options: str) -> float:
    """Run a script in a fresh interpreter that finds modules in these folders only. Return its CPU time."""
    command = [sys.executable, "-I", "-S", "-B", *options, "-c", script, *map(str, folders)]
    process = os.posix_spawn(command[0], command, _ENVIRONMENT)
    _, status, used = os.wait4(process, 0)
    assert status == 0, f"{script} ended with {status}"
    return used.ru_utime + used.ru_stime


def bundle(folder: Path) -> tuple[Path, Path, Path]:
    """Make three folders: boto3 as installed, the asset as shipped, the asset without bytecode."""
    boto3, asset, sources = folder / "boto3", folder / "asset", folder / "sources"
    bundling_of(Settings().crawls(), publishing=False, emulator=False).try_bundle(str(folder))
    shutil.unpack_archive(folder / "asset.zip", asset)
    shutil.copytree(asset, sources, ignore=shutil.ignore_patterns("__pycache__"))
    boto3.mkdir()
    for name in _PACKAGES:
        found = sources / name
        if found.is_dir():
            shutil.copytree(found, boto3 / name)
        else:
            shutil.copy(found, boto3)
    compileall.compile_dir(boto3, quiet=2)
    return boto3, asset, sources


def measure(starts: Mapping[str, tuple[str, Path]], rounds: int) -> dict[str, list[float]]:
    """Return the CPU seconds of each start in each round."""
    found: dict[str, list[float]] = {name: [] for name in starts}
    for number in range(rounds + 1):
        for name, (script, folder) in starts.items():
            seconds = cpu_seconds(script, [folder])
            if number:  # before, the files are not in the system's memory
                found[name].append(seconds)
    return found


def print_imports(asset: Path) -> None:
    """Print the modules that take longest by themselves, with the microseconds of the fastest of some imports."""
    own: dict[str, int] = {}
    for _ in range(7):
        command = [sys.executable, "-I", "-S", "-B", "-X", "importtime", "-c", FIRST_CLIENT, str(asset)]
        ran = subprocess.run(command, check=True, env=_ENVIRONMENT, stderr=subprocess.PIPE, text=True)
        for line in ran.stderr.splitlines()[1:]:
            took, _, name = line.removeprefix("import time:").split("|")
            own[name.strip()] = min(int(took), own.get(name.strip(), sys.maxsize))
    print(f"{sum(own.values()):7} µs {len(own)} modules")
    for name, microseconds in sorted(own.items(), key=lambda each: -each[1])[:40]:
        print(f"{microseconds:7} µs {name}")


def main() -> int:
    """Measure, and print. Returns the exit code: 1 if a cold start costs more than 1.2 times boto3's."""
    with tempfile.TemporaryDirectory(prefix="pageturner-") as name:
        boto3, asset, sources = bundle(Path(name))
        if sys.argv[1:] == ["imports"]:
            print_imports(asset)
            return 0
        for each, folder in {"boto3": boto3, "asset": asset, "sources": sources}.items():
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            zipped = Path(shutil.make_archive(f"{folder}-zipped", "zip", folder)).stat().st_size
            print(f"{each:8} {size / 2**20:6.1f} MiB, {zipped / 2**20:5.1f} MiB as a zip")
        found = measure(
            {
                "boto3, first client": (BOTO3, boto3),
                "FetchPage, first client": (FIRST_CLIENT, asset),
                "FetchPage, first invocation": (FIRST_INVOCATION, asset),
                "without bytecode, first client": (FIRST_CLIENT, sources),
            },
            ROUNDS,
        )
    baseline = found["boto3, first client"]
    ratios = {
        name: median(its / base for its, base in zip(seconds, baseline, strict=True)) for name, seconds in found.items()
    }
    for each, ratio in ratios.items():
        print(f"{each:31} {median(found[each]) * 1000:6.0f} ms of CPU {ratio:6.2f} times boto3's")
    return 0 if ratios["FetchPage, first client"] <= 1.2 else 1


if __name__ == "__main__":
    sys.exit(main())
