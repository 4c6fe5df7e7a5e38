"""The report of a run whose service is nowhere: each of its targets is short, in every table."""

from __future__ import annotations

from pageturner.crawls.crawl import Crawl
from tests.browser.documents import document, entry

CRAWL = Crawl("instances", "ec2", "describe_instances", regions=("eu-*",))


def test_targets_that_are_all_absent_are_short_in_each_table() -> None:
    absent = {"verdict": "absent", "error": "NoEndpointError", "cause": "no endpoint", "parameters": {}, "items": 0}
    entries = [entry(number, region=f"eu-new-{number}", **absent) for number in (1, 2)]
    data = document(entries, CRAWL)
    assert data["headline"] == "2 of 2 targets not complete (2 absent)"
    assert data["targets"]["short"] == 2
    assert [(row["name"], row["short"]) for row in data["by"]["region"]["rows"]] == [("eu-new-1", 1), ("eu-new-2", 1)]
    assert [row["short"] for row in data["by"]["operation"]["rows"]] == [2]
    one = document([*entries, entry(3, parameters={})], CRAWL)
    assert (one["targets"]["short"], [row["short"] for row in one["by"]["operation"]["rows"]]) == (0, [0])
