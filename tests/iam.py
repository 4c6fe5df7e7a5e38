"""What the roles of the deployment may do: their policies as they are synthesized, evaluated by AWS's own rules.

The evaluator is @cloud-copilot/iam-simulate, which knows every action, its resources and its condition keys. It runs in
a process of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.conftest import ACCOUNT, REGION, Aws

Context = Mapping[str, str | Sequence[str]]
_RUNNER = Path(__file__).with_name("iam.mjs")
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
# The ARN of a resource by its name; of those that are not here, nobody asks.
_ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::DynamoDB::GlobalTable": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{}}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
    "AWS::StepFunctions::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{}}",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{}}",
}
# Those whose Ref is their ARN.
_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}
_RESOURCE_POLICIES = {"AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"}


@dataclass(frozen=True)
class Ask:
    """A question: may `role` do `action` with `resource`, in this context?"""

    role: str
    action: str
    resource: str
    context: Context = field(default_factory=dict)


class Names:
    """Resolves a template, with the names that the tests give to what is stored, and logical ids for the rest."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self._resources = resources
        stored = {"StoreItems": Aws.bucket, "StoreItemTable": Aws.items_table, "StoreRunTable": Aws.runs_table}
        self._names = {name: stored.get(name[:-8], name) for name in resources}
        for name, resource in resources.items():
            properties = resource.get("Properties", {})
            for given in ("StateMachineName", "LogGroupName", "RoleName"):
                self._names[name] = self.of(properties.get(given, self._names[name]))

    def name(self, logical_id: str) -> str:
        """The name of a resource."""
        return self._names[logical_id]

    def arn(self, logical_id: str) -> str:
        """The ARN of a resource."""
        return _ARNS[self._resources[logical_id]["Type"]].format(self._names[logical_id])

    def of(self, value: Any) -> Any:
        """A part of the template, without functions."""
        if isinstance(value, list):
            return [self.of(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1 or not (function := next(iter(value))).startswith(("Ref", "Fn::")):
            return {name: self.of(each) for name, each in value.items()}
        given = value[function]
        if function == "Ref":
            if given in _PSEUDO:
                return _PSEUDO[given]
            if given not in self._resources:  # a parameter
                return given
            return self.arn(given) if self._resources[given]["Type"] in _REF_IS_ARN else self.name(given)
        if function == "Fn::GetAtt":
            return self.arn(given[0])
        if function == "Fn::Join":
            return given[0].join(self.of(given[1]))
        if function == "Fn::Select":
            return self.of(given[1])[int(given[0])]
        if function == "Fn::Split":
            return self.of(given[1]).split(given[0])
        if function == "Fn::Sub":
            return re.sub(r"\$\{(.+?)\}", lambda found: _PSEUDO[found[1]], given)
        raise AssertionError(f"a function that nobody has met yet: {function}")


def roles_of(resources: Mapping[str, Any], names: Names) -> dict[str, list[dict[str, Any]]]:
    """Return the policies of each role, by the role's logical id without the CDK's hash."""
    found: dict[str, list[dict[str, Any]]] = {
        role_name(name): [
            {"name": each["PolicyName"], "policy": names.of(each["PolicyDocument"])}
            for each in resource["Properties"].get("Policies", [])
        ]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
    }
    for name, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Policy":
            policy = {"name": name, "policy": names.of(resource["Properties"]["PolicyDocument"])}
            for role in resource["Properties"]["Roles"]:
                found[role_name(role["Ref"])].append(policy)
    return found


def role_name(logical_id: str) -> str:
    """What a role is called here: FunctionsFetchPageRole is FetchPage."""
    name = re.sub(r"(Role)?[0-9A-F]{8}$", "", logical_id)
    return re.sub(r"^(Functions|Publishing)(?=[A-Z])|StateMachine$", "", name)


class Evaluator:
    """Answers questions. It is a process, which ends with the `with`."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        names = Names(resources)
        self.roles = roles_of(resources, names)
        # The principals of resource policies are roles by their ARNs.
        called = {names.arn(name): role_name(name) for name in resources if resources[name]["Type"] == "AWS::IAM::Role"}
        of_resources: dict[str, Any] = {}
        for resource in resources.values():
            if resource["Type"] in _RESOURCE_POLICIES:
                properties = names.of(resource["Properties"])
                document = json.dumps(properties["PolicyDocument"])
                for arn, role in called.items():
                    document = document.replace(f'"{arn}"', f'"arn:aws:iam::{ACCOUNT}:role/{role}"')
                for of in (
                    properties.get("Topics") or properties.get("Queues") or [f"arn:aws:s3:::{properties['Bucket']}"]
                ):
                    of_resources[of] = json.loads(document)
        self._owners = tuple(of_resources)
        self._policies = json.dumps({"roles": self.roles, "resources": of_resources})
        self._known: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["node", str(_RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(self._policies)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def say(self, ask: Ask) -> str:
        """Return "Allowed", "ImplicitlyDenied" or "ExplicitlyDenied"."""
        assert ask.role in self.roles, f"there is no role {ask.role}, but {sorted(self.roles)}"
        owner = next((each for each in self._owners if re.match(rf"{re.escape(each)}(/|$)", ask.resource)), None)
        question = json.dumps({**ask.__dict__, "account": ACCOUNT, "owner": owner}, sort_keys=True)
        if question not in self._known:
            self._write(question)
            assert self._process.stdout is not None
            answer = json.loads(self._process.stdout.readline())
            assert answer["said"].endswith(("Allowed", "Denied")), f"{answer['said']}: {ask}"
            assert not answer["ignored"], f"{ask.action} does not know {answer['ignored']}"
            self._known[question] = answer["said"]
        return self._known[question]

    def allows(self, ask: Ask) -> bool:
        return self.say(ask) == "Allowed"

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
