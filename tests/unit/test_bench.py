"""The benchmarks still run, on less than they measure."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bench import cold_start, cost, growth, inventory, logs, page, pages_per_second, publish
from bench.pages_per_second import Measured, Paged
from bench.peers import machines, plain
from infra import publishing
from infra.catalogue import read_catalogue
from infra.function_code import LAMBDAS
from infra.settings import Settings
from local.emulator import PROJECT
from pageturner.costs import PUBLISHING_MEMORY_MB


def test_what_is_measured_of_an_inventory_runs() -> None:
    # In a separate process, because it forgets what other tests hold.
    script = """
from bench import inventory
few = [each for each in inventory.inventory() if each[0] in ("s3", "sns", "iam")]
inventory.inventory = lambda: few
print(inventory.fetch())
"""
    environment = {**inventory._ENVIRONMENT, "PYTHONPATH": "lambdas"}
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, check=True, cwd=PROJECT, env=environment, stdout=subprocess.PIPE)
    assert b"operations of 3 services" in ran.stdout


def test_what_is_measured_runs() -> None:
    # In a separate process, because the benchmark leaves its files open until it exits.
    script = "from bench import plan; plan.TARGETS = 2 * plan.PAGE; print([run() for run in plan.MEASURED.values()])"
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, check=True, cwd=PROJECT, env={"PYTHONPATH": "lambdas"}, stdout=subprocess.PIPE)
    assert ran.stdout.count(b"MB of targets.json") == 2


@pytest.mark.parametrize(("pages", "targets", "is_in_parts"), [(600, 1, True), (600, 30, True), (40, 8, False)])
def test_what_is_measured_of_finishing_runs(pages: int, targets: int, is_in_parts: bool, tmp_path: Path) -> None:
    # The numbers of files and pages are asserted there. In a separate process, for the same reason.
    script = f"""
from pathlib import Path
from bench.finish import Limits, check, invoke, put_targets
shape = Path("{tmp_path}"), {pages}, {targets}
put_targets(shape[0], {targets})
outcomes = [invoke(*shape, Limits(records=100, targets=20, steps=3))["outcome"]]
while outcomes[-1] == "again":
    outcomes.append(invoke(*shape, Limits(records=100, targets=20, steps=3))["outcome"])
print(len(outcomes) > 1, outcomes[-1], check(*shape))
"""
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, check=True, cwd=PROJECT, env={"PYTHONPATH": "lambdas"}, stdout=subprocess.PIPE)
    assert ran.stdout.decode().startswith(f"{is_in_parts} succeeded {pages} files")


@pytest.mark.parametrize("most_rows", [10_000, 1000])
def test_what_is_measured_of_publishing_runs(
    most_rows: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Whole, and in parts. The requests of each run are asserted there.
    def here(folder: Path, step: str, *arguments: Any) -> publish.Measured:
        world = publish.World(folder)
        what = publish.STEPS[step](world, *arguments)
        world.save()
        return publish.Measured(what, 1, 1, 1)

    monkeypatch.setattr(publish, "measure", here)
    monkeypatch.setenv("MOST_ROWS", str(most_rows))
    assert publish.of_listing("objects", 2000)
    assert "published 0 new, 20 changed, 0 gone" in capsys.readouterr().out


def test_functions_have_what_is_measured_against() -> None:
    assert (PUBLISHING_MEMORY_MB, publishing._DISK.to_mebibytes()) == (publish.MEMORY_MB, publish.DISK_MB)
    assert Settings().most_rows == publish.MOST_ROWS


def test_the_log_of_a_million_pages_costs_less_than_30_cents() -> None:
    measured = logs.measure("INFO")
    assert len(measured.lines) == 1
    assert measured.bytes <= 600, measured.lines
    assert measured.dollars <= 0.30


@pytest.mark.parametrize("level", logs.LEVELS)
def test_what_a_log_level_costs_is_documented(level: str) -> None:
    text = (PROJECT / "docs" / "reference.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{level}` \| .* \| \$([\d.]+) \|$", text, re.MULTILINE)
    assert row == f"{logs.measure(level).dollars:.2f}"


@pytest.mark.parametrize("script", ["BOTO3", "FIRST_CLIENT", "FIRST_INVOCATION"])
def test_what_is_measured_of_a_cold_start_runs(script: str) -> None:
    # From the sources, and with the packages of this Python.
    folders = [LAMBDAS, Path(boto3.__file__).parents[1]]
    assert cold_start.cpu_seconds(getattr(cold_start, script), folders) > 0
    with pytest.raises(AssertionError, match="ended with"):
        cold_start.cpu_seconds("raise SystemExit(1)", folders)


@pytest.mark.parametrize("name", page.SHAPES)
def test_what_is_measured_of_a_page_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # In separate processes, as it is measured: clients keep the address of the first server.
    monkeypatch.setenv("PYTHONPATH", "lambdas")
    monkeypatch.chdir(PROJECT)
    assert page._measured("cpu", name, "boto3", 1)["milliseconds"] > 0
    assert page._measured("cpu", name, "FetchPage", 1)["items"] == page.SHAPES[name].items


def test_what_is_measured_of_the_memory_of_pages_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of one shape, unless others are asked for.
    monkeypatch.setenv("PYTHONPATH", "lambdas")
    monkeypatch.chdir(PROJECT)
    assert set(page._measured("memory", next(iter(page.SHAPES)), 1, 2)) == {"few", "many"}


def test_a_page_costs_the_same_wherever_it_is_in_a_listing() -> None:
    early, late = (growth.page(number, pages=1) for number in growth.NUMBERS)
    assert late["state"] - early["state"] < 10


def test_parts_of_a_listing_are_counted() -> None:
    assert growth.parts(1, pages=3) == {"parts": 1, "requests": 0, "longest": 3}
    split = growth.parts(2, pages=50)
    assert split["parts"] == 2
    assert 25 <= split["longest"] < 50


def test_the_peers_turn_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    keys = [f"key-{number}" for number in range(5)]
    with mock_aws():
        s3 = boto3.client("s3", "us-east-1")
        for bucket in ("listed", "peers"):
            s3.create_bucket(Bucket=bucket)
        for key in keys:
            s3.put_object(Bucket="listed", Key=key)
        monkeypatch.setattr(plain, "_s3", lambda: s3)
        event = {
            "bucket": "listed",
            "prefix": "",
            "page_size": 2,
            "to": "peers",
            "under": "run/",
            "page": 1,
            "token": None,
            "silent": False,
        }
        while (event := plain.handler(event, None))["token"]:
            pass
        written = [found["Key"] for found in s3.list_objects_v2(Bucket="peers", Prefix="run/")["Contents"]]
        bodies = [gzip.decompress(s3.get_object(Bucket="peers", Key=key)["Body"].read()) for key in written]
    assert len(written) == 3
    assert [json.loads(line)["Key"] for body in bodies for line in body.splitlines()] == keys


@pytest.mark.parametrize("loop", [machines.lambda_loop("a-function"), machines.sdk_loop("a-table")])
def test_every_state_of_the_peers_leads_to_another_and_is_led_to(loop: machines.State) -> None:
    choices = [choice for state in loop["States"].values() for choice in [state, *state.get("Choices", ())]]
    led_to = {choice[name] for choice in choices for name in ("Next", "Default") if name in choice}
    assert led_to | {loop["StartAt"]} == set(loop["States"])
    assert machines.each_target(loop)["States"]["EachTarget"]["ItemProcessor"]["States"] == loop["States"]


def test_the_peers_have_the_targets_of_the_crawls_that_are_measured() -> None:
    crawls = read_catalogue(PROJECT / pages_per_second.CATALOGUE)
    assert {crawl.pagination_config["PageSize"] for crawl in crawls.values()} == {pages_per_second.PAGE_SIZE}
    prefixes = [each["prefix"] for each in pages_per_second._inputs(pages_per_second.TARGETS, "name")]
    assert crawls["eight"].for_each == {"matrix": {"Prefix": prefixes}}


def test_rates_stand_beside_those_of_the_plain_loop() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    written = [began + timedelta(seconds=number) for number in range(11)]
    slow, fast = (Measured(Paged(seconds, written, {"PlanRun": 1.0}), 2, 3) for seconds in (22, 11))
    names = pages_per_second.CONTESTANTS
    found = {(name, targets): fast if name == "Pageturner" else slow for name in names for targets in (1, 8)}
    lines = list(pages_per_second.table(found))
    assert lines[1].split() == ["Pageturner", "1.00", "2.00", "1.00", "1.00", "2.00", "3.00"]


@pytest.mark.parametrize("seconds", cost.SECONDS)
def test_what_a_million_pages_of_a_listing_cost_is_documented(seconds: float) -> None:
    volume = cost.expected(1, cost.PAGES, seconds)
    ways = (cost.dollars(volume, *cost.ORCHESTRATION), cost.plain_standard_loop(cost.PAGES))
    sums = (*ways, cost.express_alone(cost.PAGES, seconds), cost.dollars(volume))
    row = f"| {seconds:g} s a page | {' | '.join(f'${each:.2f}' for each in sums)} |"
    assert row in (PROJECT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_what_pages_cost_is_in_the_readme() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    for volume in (cost.expected(1, cost.PAGES, 0.33), cost.expected(cost.PAGES, cost.PAGES, 0.33)):
        for dollars in (cost.dollars(volume, *cost.ORCHESTRATION), cost.dollars(volume)):
            assert f"${dollars:.2f}" in text
