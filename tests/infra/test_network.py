"""Functions in a VPC: all of them, and their code may not do what Lambda may do for them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.conftest import Synth

SUBNETS = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
GROUPS = ["sg-0123456789abcdef0"]


@pytest.fixture(scope="module")
def in_vpc(synth: Synth) -> dict[str, Any]:
    found: dict[str, Any] = synth(subnet_ids=",".join(SUBNETS), security_group_ids=GROUPS).to_json()["Resources"]
    return found


def test_every_function_runs_in_the_subnets(in_vpc: dict[str, Any], resources: dict[str, Any]) -> None:
    functions = [each["Properties"] for each in in_vpc.values() if each["Type"] == "AWS::Lambda::Function"]
    assert functions
    for function in functions:
        assert function["VpcConfig"] == {"SubnetIds": SUBNETS, "SecurityGroupIds": GROUPS}
    assert "VpcConfig" not in str(resources)


def test_lambda_may_make_network_interfaces_for_them_and_their_code_may_not(in_vpc: dict[str, Any]) -> None:
    roles = {
        each["Properties"]["Role"]["Fn::GetAtt"][0]
        for each in in_vpc.values()
        if each["Type"] == "AWS::Lambda::Function"
    }
    allowed: set[str] = set()
    denied: set[str] = set()
    for each in in_vpc.values():
        if each["Type"] != "AWS::IAM::Policy":
            continue
        for statement in each["Properties"]["PolicyDocument"]["Statement"]:
            if "ec2:CreateNetworkInterface" not in statement["Action"]:
                continue
            (role,) = (role["Ref"] for role in each["Properties"]["Roles"])
            if statement["Effect"] == "Allow":
                allowed.add(role)
            else:
                assert "lambda:SourceFunctionArn" in statement["Condition"]["ArnLike"]
                denied.add(role)
    assert allowed == denied == roles
