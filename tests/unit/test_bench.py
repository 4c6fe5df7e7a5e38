"""The benchmarks still run, on less than they measure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from bench import cold_start, logs, page, publish
from infra import publishing
from infra.function_code import LAMBDAS
from infra.settings import Settings
from local.emulator import PROJECT


def test_what_is_measured_runs() -> None:
    # In a separate process, because the benchmark leaves its files open until it exits.
    script = "from bench import plan; plan.TARGETS = 2 * plan.PAGE; print([run() for run in plan.MEASURED.values()])"
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, check=True, cwd=PROJECT, env={"PYTHONPATH": "lambdas"}, stdout=subprocess.PIPE)
    assert b"14,000 items" in ran.stdout


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
    assert (publishing._MEMORY_MB, publishing._DISK.to_mebibytes()) == (publish.MEMORY_MB, publish.DISK_MB)
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
    assert set(page._measured("memory", name, 1, 2)) == {"few", "many"}
