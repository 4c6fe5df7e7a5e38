"""Reports of runs that listed, failed and were resumed in every way, as people find them in the bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pageturner.console import Console
from pageturner.errors import CannotPublishError
from pageturner.finish.progress import Limits
from pageturner.report.page import DATA_BEGINS, data_in
from pageturner.report.reporting import Reporter
from pageturner.report.targets import COLUMNS
from tests.fakes import stores_in
from tests.histories import Killed, Listed, Process, Ran, World, item, listed, target_of

pytestmark = pytest.mark.usefixtures("_one_connection")
DENIED = "An error occurred (AccessDenied) when calling the ListObjectsV2 operation: no identity-based policy allows it"


def pages(name: str, count: int) -> list[list[Any]]:
    return [[item(f"{name}-{page}-{each}") for each in range(2)] for page in range(count)]


def report(world: World, ran: Ran, summary: Mapping[str, Any], process: Process | None = None) -> bool:
    process = process or Process()
    stores = stores_in(process.client(world.s3), process.client(world.dynamodb))
    return Reporter(stores, Console("eu-west-1")).write(summary)


def text(world: World, ran: Ran) -> str:
    return world.s3.objects[f"runs/{ran.run.run_id}/report.html"].body.decode("ascii")


def shown(world: World, ran: Ran) -> dict[str, Any]:
    found = data_in(iter(text(world, ran).splitlines()))
    assert found is not None
    return found


def reported(world: World, ran: Ran) -> dict[str, Any]:
    """Publish and report a run, and return what its report shows."""
    summary = world.publish(ran)
    assert summary is not None
    assert report(world, ran, summary)
    return shown(world, ran)


def rows(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the targets, with the texts in their places."""
    numbers = {"items", "pages", "bytes", "seconds", "throttles", "restarts", "agrees"}
    texts = data["targets"]["texts"]
    return [
        {name: value if name in numbers else texts[value] for name, value in zip(COLUMNS, row, strict=True)}
        for row in data["targets"]["rows"]
    ]


def deny(world: World, ran: Ran, name: str, cause: str = DENIED) -> None:
    """Let the record of a target say why it was denied."""
    row = world.dynamodb.tables["runs"][f"run#{ran.run.run_id}", f"verdict#{ran.run.generation}#{name}"]
    row |= {"error": {"S": "AccessDeniedError"}, "cause": {"S": json.dumps({"errorMessage": cause})}}


def denied_run(world: World, targets: Mapping[str, Listed], **crawl: Any) -> Ran:
    run, whole = world.begin(targets, **crawl)
    ran = Ran(run, whole, targets, {})
    for name in (name for name, each in targets.items() if each.verdict == "denied"):
        deny(world, ran, name)
    return replace(ran, summary=world.finish(run))


def test_the_numbers_are_those_of_the_manifest() -> None:
    world = World()
    targets = {"a": listed(*pages("a", 3)), "b": Listed([pages("b", 2), pages("b", 5)]), "c": listed(*pages("c", 1))}
    ran = world.run(targets)
    data = reported(world, ran)
    manifest = json.loads(world.s3.objects[f"runs/{ran.run.run_id}/manifest.json"].body)
    for total in ("pages", "items", "bytes", "throttles", "restarts"):
        assert data["totals"][total] == manifest[total]
    by_id = {row["target_id"]: row for row in rows(data)}
    for entry in manifest["targets"]:
        row = by_id[entry["target_id"]]
        for name in ("verdict", "account", "region", "items", "pages", "bytes", "throttles", "restarts"):
            assert row[name] == entry[name]
        assert (row["state"], row["why"], row["operation"]) == ("fine", "", "s3:list_objects_v2")
    assert data["timeline"] == manifest["timeline"]
    assert sum(data["timeline"]["pages"]) == 3 + 2 + 5 + 1, "of all passes"
    assert data["by"]["account"]["rows"] == [
        {"name": "111111111111", "targets": 3, "short": 0, "elsewhere": 0, "pages": 9, "items": 18, "throttles": 0}
        | {"bytes": manifest["bytes"]}
    ]
    assert data["headline"] == "complete: 18 items on 9 pages of 3 targets; published 18 new, 0 changed, 0 gone"
    assert data["headline"] in text(world, ran), "for those without JavaScript"
    assert data["next"] == {"said": "Nothing: the run is as the crawl asks.", "copies": []}
    assert world.s3.objects[f"runs/{ran.run.run_id}/report.html"].metadata == {"generation": "1"}


def test_the_worst_are_first_and_what_to_do_can_be_copied() -> None:
    world = World()
    targets = {
        "a": listed(*pages("a", 3)),
        "b": listed(*pages("b", 1), verdict="limited"),
        "c": listed(*pages("c", 2), verdict="denied"),
    }
    ran = denied_run(world, targets)
    world.stores.targets.count_throttle(ran.run, target_of("a"), "Rate exceeded")
    data = reported(world, ran)
    assert [(row["target_id"], row["verdict"], row["state"]) for row in rows(data)] == [
        ("c", "denied", "short"),
        ("b", "limited", "noted"),
        ("a", "complete", "fine"),
    ]
    assert rows(data)[0]["why"] == f"AccessDeniedError: {DENIED}"
    assert data["headline"] == "1 of 3 targets not complete (1 complete, 1 denied, 1 limited)"
    (reason,) = data["reasons"]["rows"]
    assert (reason["verdict"], reason["targets"]) == ("denied", 1)
    assert reason["to_do"].startswith("Allow s3:ListBucket: ")
    statement, terminal, execution = data["next"]["copies"]
    allowed = statement["json"]
    assert (allowed["Effect"], allowed["Action"]) == ("Allow", ["s3:ListBucket"])
    assert all(arn.startswith("arn:aws:s3:::") for arn in allowed["Resource"])
    assert json.dumps(allowed) in ran.summary["message"], "the execution's verdict has it too"
    assert terminal["text"] == f"pageturner resume {ran.run.run_id}"
    assert execution["json"] == {"resume": ran.run.run_id}
    assert ran.summary["message"].startswith(f"{data['headline']}. "), "what is said in one place is said in the other"
    assert data["run"]["outcome"] == "failed"


def test_throttled_targets_are_shown() -> None:
    world = World()
    run, crawl = world.begin({name: listed(*pages(name, 1)) for name in "abc"})
    for name in "bbc":
        world.stores.targets.count_throttle(run, target_of(name), "Rate exceeded")
    ran = Ran(run, crawl, {}, world.finish(run))
    assert report(world, ran, ran.summary)
    where = ["111111111111", "eu-west-1", "s3:list_objects_v2"]
    assert shown(world, ran)["throttled"] == [
        [*where, '{"Bucket": "b"}', 2, "Rate exceeded"],
        [*where, '{"Bucket": "c"}', 1, "Rate exceeded"],
    ]


def test_a_mistrusted_listing_can_be_trusted_in_a_terminal() -> None:
    world = World()
    world.publish(world.run({"a": listed(*pages("a", 10))}))
    data = reported(world, world.run({"a": listed(*pages("a", 1))}, mistrust="20%"))
    (row,) = rows(data)
    assert (row["verdict"], row["state"]) == ("failed", "short")
    assert "the listing has 2 items, but the last complete run listed 20" in row["why"]
    assert [each.get("text") or each["json"] for each in data["next"]["copies"]] == [
        "pageturner resume run-02 --set 'mistrust=\"off\"'",
        {"resume": "run-02", "mistrust": "off"},
    ]


def test_an_empty_listing_and_no_targets_at_all() -> None:
    world = World()
    empty = reported(world, world.run({"a": listed([])}))
    assert (empty["run"]["verdict"], empty["totals"]["items"], empty["targets"]["total"]) == ("complete", 0, 1)
    nothing = reported(world, world.run({}))
    assert (nothing["run"]["outcome"], nothing["targets"]["total"]) == ("succeeded", 0)
    assert nothing["timeline"]["pages"] == []
    assert nothing["headline"].startswith("complete: 0 items on 0 pages of 0 targets")


def test_what_is_tolerated_is_no_fault() -> None:
    world = World()
    targets = {"a": listed(*pages("a", 1)), "b": listed(*pages("b", 1), verdict="denied")}
    data = reported(world, denied_run(world, targets, tolerate=("denied",)))
    assert (data["run"]["outcome"], data["targets"]["short"]) == ("succeeded", 0)
    assert [(row["target_id"], row["state"]) for row in rows(data)] == [("b", "noted"), ("a", "fine")]
    assert data["reasons"]["rows"] == []


def test_a_run_that_continues_needs_nothing() -> None:
    world = World()
    targets = {"a": listed(*pages("a", 1), verdict="denied")}
    run, crawl = world.begin(targets)
    row = world.dynamodb.tables["runs"][f"run#{run.run_id}", "verdict#1#a"]
    row |= {"verdict": {"S": "unfinished"}, "error": {"S": "ContinuesInAnotherExecution"}, "cause": {"S": "events"}}
    ran = Ran(run, crawl, targets, world.finish(run))
    assert report(world, ran, ran.summary)
    data = shown(world, ran)
    assert data["next"] == {"said": "The run continues by itself, in another execution.", "copies": []}
    assert "<title>c: goes on - " in text(world, ran)


def test_a_manifest_in_parts_is_reported_like_a_single_one() -> None:
    targets = {name: listed(*pages(name, number)) for number, name in enumerate("abcdefgh", start=1)}
    found = []
    for limits in (Limits(), Limits(records=7, targets=3, steps=2)):
        world = World(limits=limits)
        data = reported(world, world.run(targets))
        del data["cost"]  # of publishing, which depends on the time
        found.append(data)
    assert found[0] == found[1]


def test_what_a_run_says_cannot_end_the_block_of_data() -> None:
    world = World()
    name = "</script><script>alert(1)</script><!--\u202e\u0000\ud800"
    ran = denied_run(world, {"a": listed(*pages("a", 1), verdict="denied")})
    row = world.dynamodb.tables["runs"][f"run#{ran.run.run_id}", "verdict#1#a"]
    row["cause"] = {"S": json.dumps({"errorMessage": name})}
    del world.s3.objects[f"runs/{ran.run.run_id}/manifest.json"]
    summary = world.finish(ran.run)
    assert report(world, ran, summary)
    assert "alert" in rows(shown(world, ran))[0]["why"]
    assert text(world, ran).count("</script>") == 2
    assert text(world, ran).partition(DATA_BEGINS)[2].strip().partition("\n")[0].count("<") == 0


# Killed, twice, late.


def test_a_report_that_is_killed_or_made_twice_comes_to_the_same() -> None:
    world = World()
    ran = world.run({"a": listed(*pages("a", 2)), "b": listed(*pages("b", 1))})
    summary = world.publish(ran)
    assert summary is not None
    process = Process()
    whole = world.copy()
    assert report(whole, ran, summary, process)
    expected = text(whole, ran)
    for number in range(1, len(process.requests) + 1):
        there = world.copy()
        with pytest.raises(Killed):
            report(there, ran, summary, Process(dies_at=number))
        assert report(there, ran, summary)
        assert text(there, ran) == expected
        assert report(there, ran, summary, Process(doubles=number))
        assert text(there, ran) == expected


def resumed(world: World, ran: Ran) -> Ran:
    return world.run({"a": listed(*pages("a", 4))}, resumes=ran)


def test_the_report_of_a_later_generation_replaces_the_one_before_and_not_the_other_way_round() -> None:
    world = World()
    first = world.run({"a": listed(*pages("a", 2), verdict="denied")})
    assert report(world, first, first.summary)
    assert shown(world, first)["run"]["generation"] == 1
    second = resumed(world, first)
    assert not report(world, first, first.summary), "who is late"
    assert report(world, second, second.summary)
    assert not report(world, first, first.summary)
    data = shown(world, second)
    assert (data["run"]["generation"], data["run"]["verdict"]) == (2, "complete")


def test_a_report_that_is_put_late_does_not_replace_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    first = world.run({"a": listed(*pages("a", 2), verdict="denied")})
    whole = type(world.s3).head_object

    def head_object(self: Any, **request: Any) -> Any:
        if request["Key"].endswith("report.html"):
            monkeypatch.setattr(type(world.s3), "head_object", whole)
            found = whole(self, **request) if request["Key"] in self.objects else None
            second = resumed(world, first)
            assert report(world, second, second.summary)
            if found is not None:
                return found
        return whole(self, **request)

    assert report(world, first, first.summary)
    monkeypatch.setattr(type(world.s3), "head_object", head_object)
    assert not report(world, first, first.summary)
    assert shown(world, first)["run"]["generation"] == 2


def test_a_manifest_that_is_gone_is_said() -> None:
    world = World()
    ran = world.run({"a": listed(*pages("a", 1))})
    del world.s3.objects[f"runs/{ran.run.run_id}/manifest.json"]
    with pytest.raises(CannotPublishError, match="the manifest of run-01 is gone"):
        report(world, ran, ran.summary)


def test_the_timeline_is_no_part_of_the_summary_that_travels() -> None:
    world = World()
    ran = world.run({"a": listed(*pages("a", 1))})
    found = world.stores.runs.find(ran.run.run_id)
    assert found is not None
    assert "timeline" not in ran.summary
    assert "timeline" not in (found.summary or {})
    assert world.finish(ran.run) == ran.summary
