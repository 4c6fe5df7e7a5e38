"""No value of a parameter widens a grant: what is granted matches, by IAM's rules, what it names and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.allowed_resources import allowed_resources

HERE = "eu-west-1:111122223333"
# What a policy can say, and what would be special in it or in an ARN.
NAMES = st.text(
    st.one_of(st.sampled_from("*?${}:/,\"'\\ "), st.characters(min_codepoint=0x20, max_codepoint=0xFF)),
    min_size=1,
    max_size=30,
)
CASES = {
    "dynamodb scan TableName": f"dynamodb:{HERE}:table/%s",
    "kinesis list_shards StreamName": f"kinesis:{HERE}:stream/%s",
    "sns get_topic_attributes TopicArn": f"sns:{HERE}:%s",
    "stepfunctions describe_state_machine stateMachineArn": f"states:{HERE}:stateMachine:%s",
    "eks describe_cluster name": f"eks:{HERE}:cluster/%s",
    "athena get_work_group WorkGroup": f"athena:{HERE}:workgroup/%s",
    "s3 get_bucket_encryption Bucket": "s3:::%s",
}


def allowed(operation: str, parameters: dict[str, Any]) -> tuple[str, ...]:
    service, name = operation.split()
    return allowed_resources(service, name, parameters)


def matches(granted: str, arn: str) -> bool:
    """IAM's rules (User Guide, "Resource", "Variables and tags"): ``${*}`` is an asterisk, a bare one is anything."""
    parts = re.split(r"(\$\{[*?$]\}|\*|\?)", granted)
    wild = {"*": ".*", "?": "."}
    pattern = "".join(wild.get(part) or re.escape(part[2] if part.startswith("${") else part) for part in parts)
    return re.fullmatch(pattern, arn, re.DOTALL) is not None


@pytest.mark.parametrize("case", CASES)
@given(name=NAMES, other=NAMES)
@example(name="*", other="all")
@example(name="${*}", other="${*")
@example(name="a?", other="ab")
@example(name="${aws:username}", other="me")
@example(name="${Account}", other="111122223333")
def test_a_value_matches_itself_alone(case: str, name: str, other: str) -> None:
    service, operation, parameter = case.split()
    arn = f"arn:aws:{CASES[case] % name}"
    value = arn if parameter.endswith("Arn") else name
    (granted,) = allowed(f"{service} {operation}", {parameter: value})
    assert matches(granted, arn)
    for beside in (other, name + other, other + name, name.replace("*", other), name.replace("?", other[0])):
        if beside != name:
            assert not matches(granted, f"arn:aws:{CASES[case] % beside}")


@given(bucket=st.from_regex(r"[a-z0-9.-]{3,20}", fullmatch=True), key=NAMES, other=NAMES)
def test_an_object_is_that_object(bucket: str, key: str, other: str) -> None:
    (granted,) = allowed("s3 get_object", {"Bucket": bucket, "Key": key})
    assert matches(granted, f"arn:aws:s3:::{bucket}/{key}")
    assert matches(granted, f"arn:aws:s3:::{bucket}/{other}") == (key == other)


def test_what_no_policy_can_say_is_left_open_there_and_nowhere_else() -> None:
    assert allowed("s3 get_object", {"Bucket": "b", "Key": "logs/報告/*.csv"}) == ("arn:aws:s3:::b/logs/*/${*}.csv",)


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:s3:::*",
        "arn:aws:dynamodb:*:*:table/t",
        "arn:aws:iam::111122223333:role/r",
        "arn:*:dynamodb:::x",
        [],
        {},
    ],
)
def test_what_is_no_table_is_any_table_of_this_place(value: Any) -> None:
    here = f"arn:aws:dynamodb:{HERE}:table/"
    granted = allowed("dynamodb scan", {"TableName": value})
    assert all(each.startswith(here) for each in granted) or granted == ("*",)
