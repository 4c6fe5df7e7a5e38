"""What the bucket forgets, and when."""

from __future__ import annotations

from typing import Any

from aws_cdk.assertions import Template

from tests.infra.conftest import Synth

ALWAYS = {
    "map-results/": 30,
    "athena-results/": 7,
    "finishing/": 30,
    "detailing/": 30,
    "publishing/": 30,
    "comparisons/": 30,
}
ALWAYS |= {"tokens/": 400}


def rules(template: Template) -> list[dict[str, Any]]:
    (bucket,) = template.find_resources("AWS::S3::Bucket").values()
    return [rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]


def days(template: Template) -> dict[str, int]:
    found = rules(template)
    assert all(rule["Status"] == "Enabled" for rule in found)
    return {rule["Prefix"]: rule["ExpirationInDays"] for rule in found if "TagFilters" not in rule}


def test_by_default_only_what_nobody_needs_expires(template: Template) -> None:
    assert days(template) == ALWAYS
    assert len(rules(template)) == len(ALWAYS)


def test_what_expires_as_the_settings_say(synth: Synth) -> None:
    template = synth(page_retention_days="90", run_retention_days="365", changes_retention_days="30")
    assert days(template) == {**ALWAYS, "items/": 90, "runs/": 365, "summaries/": 365, "changes/": 30}


def test_of_tables_only_what_is_superseded_expires(synth: Synth) -> None:
    template = synth(history_retention_days="60")
    (rule,) = [rule for rule in rules(template) if rule["Prefix"] not in ALWAYS]
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("tables/", 60)
    assert rule["TagFilters"] == [{"Key": "superseded", "Value": "true"}]


def test_what_is_published_never_expires(synth: Synth) -> None:
    names = ("page", "run", "history", "changes")
    template = synth(**{f"{name}_retention_days": "30" for name in names})
    expires = [rule["Prefix"] for rule in rules(template) if "TagFilters" not in rule]
    assert not [prefix for prefix in ("published/x", "tables/x/run=r/x") if prefix.startswith(tuple(expires))]
