"""Every command of README and docs, as it is written there, in a fresh copy of the project.

They run against the emulator that `make local` started, in the order of the documents. Stack sets, which it does not
have, run on moto's server.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from moto.server import ThreadedMotoServer

from local.account_operations import ACCOUNT_OPERATIONS
from local.emulator import PROJECT
from local.read_operations import READ_OPERATIONS
from local.resource_templates import RESOURCES
from tests.e2e.conftest import wait_until_ended
from tests.e2e.fresh_clone import Clone, cloned

# The terminal is called as it is on the PATH that operations.md exports.
DOCUMENTS = (
    "docs/emulator.md",
    "docs/operations.md",
    "docs/terminal.md",
    "README.md",
    "docs/deploying.md",
    "docs/reference.md",
    "docs/reliability.md",
    "docs/architecture.md",
    "docs/performance.md",
)
# CI runs `make check` and `make test`, which runs a little of each benchmark; `make local` is `make demo`, and stays;
# the clone must outlive `make clean`; where .venv is there, another Python changes nothing; and after
# `make requirements` the next target would install them again, in what the clone shares with the project.
NOT_RUN = {
    "make demo": ".venv/bin/python -m local.demo",
    "make test": ".venv/bin/python -m pytest",
    "make check": ".venv/bin/python -m local.check_template",
    "make bench": ".venv/bin/python -m bench.$of",
    "make bench-finish": ".venv/bin/python -m bench.finish",
    "make bench-publish": ".venv/bin/python -m bench.publish",
    "make pictures": ".venv/bin/python -m local.pictures",
    "make requirements": "uv pip compile",
    "make clean": "rm -rf .venv .venv-ministack node_modules cdk.out",
    "make deploy PYTHON=python3.14": ".venv/bin/python -m local.cdk deploy",
    # It comes behind `make destroy`, and would make other tables.
    "make deploy CONTEXT='-c subnet_ids=subnet-0123456789abcdef0,subnet-0123456789abcdef1 "
    "-c security_group_ids=sg-0123456789abcdef0'": ".venv/bin/python -m local.cdk deploy",
}
# The crawl of nothing has failed.
CODES = {"pageturner crawls": 1, "pageturner doctor": 1}
ON_THE_PATH = 'export PATH="$PATH:$PWD/.venv/bin"'
CRAWL_OF_NOTHING = """
  of-nothing:
    service: s3
    operation: list_objects_v2
    parameters: {Bucket: there-is-no-such-bucket}
"""


def documented() -> list[tuple[str, str]]:
    """All commands in the documents' shell blocks, without comments, then `make` commands that only the text names.

    What several documents say is in the first of them.
    """
    texts = {name: (PROJECT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
    in_blocks = [
        (name, " ".join(re.sub(r"(^|\s)#.*", "", line).split()))
        for name, text in texts.items()
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.M)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    in_text = [(name, command) for name, text in texts.items() for command in re.findall(r"`(make [^`]+)`", text)]
    first: dict[str, str] = {}
    for name, command in in_blocks + in_text:
        if command:
            first.setdefault(command, name)
    return [(name, command) for command, name in first.items()]


PLACEHOLDERS: Mapping[str, Callable[[Clone], str]] = {
    "<crawl>": lambda _: "iam-policies",
    "<run_id>": lambda _: "iam-policies",  # whose latest run is meant
    "<RunsTable>": lambda clone: clone.runs,
    "<DeadLetterQueue>": lambda clone: clone.dead_letters,
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    with cloned(tmp_path_factory.mktemp("clone") / "pageturner") as made:
        yield made


@pytest.fixture(scope="module")
def moto_server() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    server.stop()


def test_the_demo_shows_its_trouble_and_its_proof(clone: Clone) -> None:
    said = " ".join(clone.said)
    for trouble in ("503 SlowDown", "FetchPage is killed", "no longer takes the token", "StopExecution"):
        assert trouble in said
    assert re.search(r"\d+ throttles?, 0 restarts ", said)
    assert len(re.findall(r"boto3's own paginator lists [\w ,]+: the same, in the same order ✓", said)) == 3
    assert said.count("boto3's own listing says the same ✓") == 4
    assert re.search(r"an inventory: .* verdict +complete: \d+ items on 26 pages of 26 targets", said)
    assert re.search(r"lambda +function +\d+ ", said)
    assert re.search(r"changed +_retry\.json +\['ETag', 'LastModified', 'Size'\]", said)
    assert re.search(r"witness +DynamoDB counted [\d,]+, up to 6 hours ago ✓", said)
    assert "✗" not in said
    assert re.search(r"page \d+ of \d+ · [\d,]+ items", said)


def test_the_commands_that_make_local_prints_work(clone: Clone) -> None:
    printed = "\n".join(clone.said).replace("\\\n", " ")
    commands = re.findall(r"^aws .*$", printed, re.M)
    assert [" ".join(command.split()[1:3]) for command in commands] == [
        "stepfunctions start-execution",
        "s3 ls",
        "dynamodb scan",
        "athena start-query-execution",
        "athena get-query-results",
    ]
    query = ""
    for command in commands:
        code, said = clone.run(command.replace("<QueryExecutionId>", query))
        assert code == 0, said
        if "start-query-execution" in command:
            query = json.loads(said)["QueryExecutionId"]
            time.sleep(2)
    assert "ec2/2016-11-15/service-2.json.gz" in said


@pytest.mark.parametrize(("document", "command"), documented())
def test_a_documented_command_works(document: str, command: str, clone: Clone, moto_server: dict[str, str]) -> None:
    if command in NOT_RUN:
        code, said = clone.run(f"{command} --dry-run")
        assert code == 0
        assert NOT_RUN[command] in said
        return
    if command == "make local":
        return  # by the fixture
    if command == ON_THE_PATH:
        code, said = clone.run(f'{command} && command -v pageturner && echo "$PATH"')
        where, clone.environment["PATH"] = said.splitlines()
        assert (code, where) == (0, str(clone.folder / ".venv" / "bin" / "pageturner"))
        return
    if command.startswith("export "):
        pattern = re.escape(command).replace("<port>", r"\d+")
        assert any(re.fullmatch(pattern, line) for line in clone.said), "it says so itself"
        return
    if (document, command) == ("docs/emulator.md", "make deploy"):
        with (clone.folder / "crawls.yaml").open("a") as catalogue:
            catalogue.write(CRAWL_OF_NOTHING)
    # What the emulator does not have.
    is_for_moto = any(each in command for each in ("stack-set", "stack-instances", "lakeformation"))
    for named, value in PLACEHOLDERS.items():
        if named in command:
            command = command.replace(named, value(clone))
    code, said = clone.run(command, environment=moto_server if is_for_moto else None)
    assert code == CODES.get(command, 0), said
    check = CHECKS.get(command.partition(" --")[0])
    if check is not None:
        check(clone, said)


def _deployed(clone: Clone, said: str) -> None:
    """The catalogue as it is now, with functions whose errors have their names."""
    assert f"AWS_ENDPOINT_URL is {clone.environment['AWS_ENDPOINT_URL']}, the emulator" in said
    stepfunctions = clone.client("stepfunctions")
    execution = stepfunctions.start_execution(
        stateMachineArn="arn:aws:states:us-east-1:000000000000:stateMachine:Pageturner-Crawl",
        input=json.dumps({"crawl": "of-nothing"}),
    )["executionArn"]
    ended = wait_until_ended(stepfunctions, execution)
    assert ended["status"] == "FAILED"
    assert "1 failed" in ended["cause"]
    assert "NotFoundError" in ended["cause"]


def _started(clone: Clone, said: str) -> None:
    """What comes next finds no run of the crawl that goes on."""
    assert "iam-policies-" in said
    code, said = clone.run("pageturner watch iam-policies")
    assert code == 0, said


def _shown(_: Clone, said: str) -> None:
    assert "complete: " in said


def _received(clone: Clone, _: str) -> None:
    """There was none; of one that is there, the command shows what the document speaks of."""
    clone.client("sqs").send_message(
        QueueUrl=clone.dead_letters,
        MessageBody=json.dumps({"crawl": "iam-policies"}),
        MessageAttributes={"ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"}},
    )
    (command,) = (command for _, command in documented() if command.startswith("aws sqs receive-message"))
    code, said = clone.run(command.replace("<DeadLetterQueue>", clone.dead_letters))
    assert code == 0, said
    (message,) = json.loads(said)["Messages"]
    assert json.loads(message["Body"]) == {"crawl": "iam-policies"}
    assert "ERROR_CODE" in message["MessageAttributes"]


def _destroyed(clone: Clone, _: str) -> None:
    stacks = clone.client("cloudformation").list_stacks()["StackSummaries"]
    (status,) = {stack["StackStatus"] for stack in stacks if stack["StackName"] == "Pageturner"}
    assert status == "DELETE_COMPLETE"
    assert any("storeitems" in bucket["Name"] for bucket in clone.client("s3").list_buckets()["Buckets"])


def _reader(clone: Clone, _: str) -> None:
    role = clone.client("iam").get_role(RoleName="PageturnerReader")["Role"]
    assert "111122223333" in json.dumps(role["AssumeRolePolicyDocument"])


def _same_reference(clone: Clone, _: str) -> None:
    assert (clone.folder / "docs" / "reference.md").read_text() == (PROJECT / "docs" / "reference.md").read_text()


def _same_operations(clone: Clone, _: str) -> None:
    for written in (READ_OPERATIONS, ACCOUNT_OPERATIONS, RESOURCES):
        assert (clone.folder / written.relative_to(PROJECT)).read_text() == written.read_text()


def _forgotten(clone: Clone, said: str) -> None:
    """The crawl no longer knows what it has published, but its next publication has the next number."""
    key = {"pk": {"S": "published#iam-policies"}, "sk": {"S": "published"}}
    row = clone.client("dynamodb").get_item(TableName=clone.runs, Key=key)["Item"]
    assert {"current", "told", "last"} & set(row) == {"last"}


CHECKS = {
    "make reference": _same_reference,
    "make read-operations": _same_operations,
    "make deploy": _deployed,
    "make destroy": _destroyed,
    "make reader PAGETURNER_ACCOUNT=111122223333 EXTERNAL_ID=01234567-89ab-cdef-0123-456789abcdef": _reader,
    ".venv/bin/pageturner show iam-policies": _shown,
    "pageturner start iam-policies": _started,
    "aws sqs receive-message": _received,
    "aws dynamodb update-item": _forgotten,
}


def test_any_cdk_cli_knows_the_emulator(clone: Clone) -> None:
    # `make check` applies the CDK's rules, which would take longer than the rest.
    code, said = clone.run("npx cdk synth --quiet --no-notices", {"CDK_VALIDATION": "false"})
    assert code == 0, said
    template = (clone.folder / "cdk.out" / "Pageturner.template.json").read_text()
    assert '"Runtime": "provided.al2023"' in template


def test_an_emulator_that_is_gone_is_not_aws(clone: Clone) -> None:
    code, said = clone.run("make deploy", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert code != 0
    assert "AWS_ENDPOINT_URL is http://127.0.0.1:1, and nothing answers there" in said
    assert "unset AWS_ENDPOINT_URL" in said


def test_a_reader_needs_to_know_for_whom(clone: Clone) -> None:
    code, said = clone.run("make reader")
    assert code != 0
    assert "make reader PAGETURNER_ACCOUNT=111122223333" in said


def test_help_lists_all_targets(clone: Clone) -> None:
    code, said = clone.run("make help")
    assert code == 0
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (clone.folder / "Makefile").read_text(), re.M)
    # What cdk.json runs is for no person.
    assert {line.split()[1] for line in said.splitlines()} == set(targets.split()) - {"app"}
