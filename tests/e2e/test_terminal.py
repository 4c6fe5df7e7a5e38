"""The terminal on the deployed stack: each command as it is typed, and how each ends."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from local.emulator import PROJECT
from local.fault_proxy import Answer, answering
from tests.e2e.conftest import OBJECTS, Deployed, held_pages
from tests.e2e.terminal import PROGRAM, Terminal, without_credentials
from tests.pseudo_terminal import drawn_by

PAGES = 30


@pytest.fixture
def terminal(deployed: Deployed, source: list[str]) -> Terminal:
    return Terminal(deployed)


@pytest.fixture(scope="module")
def run_id(_stack: Deployed, source: list[str]) -> str:
    """A run that was started and watched to its end, without a terminal: its lines are those of a log."""
    said = Terminal(_stack).run("start", "objects", "--watch")
    assert said.code == 0, said
    first, *lines = said.out.splitlines()
    assert first.endswith("  started")
    name = first.split()[0]
    assert any(line.startswith("…") for line in lines)
    assert f"  verdict  complete: {OBJECTS} items on {PAGES} pages of 1 target; " in said.out
    assert "\x1b" not in said.out
    return name


def test_the_run_is_in_the_list_with_what_it_came_to(terminal: Terminal, run_id: str) -> None:
    said = terminal.run("runs")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if run_id in line]
    assert line.split()[1:4] == ["succeeded", str(OBJECTS), str(PAGES)]
    rows = {row["run_id"]: row for row in terminal.run("runs", "objects", "--json").documents}
    assert (rows[run_id]["outcome"], rows[run_id]["items"], rows[run_id]["crawl"]) == ("succeeded", OBJECTS, "objects")


def test_show_has_its_targets(terminal: Terminal, run_id: str) -> None:
    said = terminal.run("show", run_id)
    assert said.code == 0
    assert said.out.splitlines()[0] == f"{run_id}  succeeded"
    assert f'complete  000000000000 us-east-1 {{"Bucket": "source"}}     {PAGES}    {OBJECTS}' in said.out
    document = terminal.run("show", run_id, "--json").document
    assert (document["outcome"], [each["verdict"] for each in document["worst_targets"]]) == ("succeeded", ["complete"])


def test_the_report_is_written_to_a_file(terminal: Terminal, run_id: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    said = terminal.run("show", run_id, "--to", str(path))
    assert (said.code, said.out.strip()) == (0, str(path))
    assert run_id in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_crawl_means_its_latest_run_and_nothing_means_the_latest_of_all(terminal: Terminal, run_id: str) -> None:
    started = terminal.run("start", "objects", "--watch", "--json")
    assert started.code == 0
    later = started.documents[0]["run_id"]
    assert later != run_id
    assert started.document["outcome"] == "succeeded"
    for words in ((), ("objects",), (later,)):
        assert terminal.run("why", *words).out.startswith(f"{later}  succeeded")
        assert terminal.run("watch", *words).code == 0


def test_crawls_and_doctor_say_that_all_is_well(terminal: Terminal, run_id: str) -> None:
    said = terminal.run("crawls")
    (line,) = [line for line in said.out.splitlines() if line.startswith("objects ")]
    assert line.split()[1] == "succeeded"
    (status,) = [each for each in terminal.run("crawls", "--json").documents if each["crawl"] == "objects"]
    assert status["complete_run_id"]
    checks = terminal.run("doctor", "--json").documents
    found = {each["what"]: each["level"] for each in checks}
    assert {name: found[name] for name in ("stack", "version", "functions", "bucket", "tables", "dead letters")} == (
        dict.fromkeys(("stack", "version", "functions", "bucket", "tables", "dead letters"), "ok")
    )
    assert "alarms" in found
    schedules = [each["said"] for each in checks if each["what"] == "schedules"]
    # Other tests may have run it.
    chain = re.compile(r"chain-buckets: cron\(0 2 \* \* \? \*\), last complete (never|(\d+ min )?\d+ s ago); it is off")
    assert any(map(chain.fullmatch, schedules)), schedules


def test_doctor_finds_what_could_not_be_delivered(terminal: Terminal, run_id: str) -> None:
    queue = terminal.deployed.outputs["DeadLetterQueue"]
    sqs = terminal.deployed.emulator.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    try:
        said = terminal.run("doctor")
        assert said.code == 1
        assert "✗ dead letters: 1 letter: starts, or events, that could not be delivered" in said.out
        assert "aws sqs receive-message --queue-url" in said.out
    finally:
        sqs.purge_queue(QueueUrl=queue)


def test_a_dry_run_says_what_it_would_take(terminal: Terminal) -> None:
    said = terminal.run("dry-run", "objects")
    assert said.code == 0
    assert f"plan     1 target, about {PAGES} pages, $" in said.out
    assert "needs    cloudwatch:GetMetricData, s3:ListBucket" in said.out
    assert terminal.run("dry-run", "objects", "--json").document["targets"]["count"] == 1
    refused = terminal.run("dry-run", "s3", "list_objects_v2", "--parameters", '{"Bucket": "there-is-none"}')
    assert refused.code == 1
    assert "the run would fail" in refused.error


def test_items_are_json_lines_and_end_with_the_pipe(terminal: Terminal, run_id: str, source: list[str]) -> None:
    assert [item["Key"] for item in terminal.run("items", run_id).documents] == source
    # Other tests have published other listings of the crawl.
    published = [str(row["key"]) for row in terminal.deployed.query("SELECT key FROM objects")]
    found = [item["Key"] for item in terminal.run("items", "objects").documents]
    assert sorted(found) == sorted(published)
    assert [key for key in found if key in source] == source
    ended = terminal.shell("pageturner items objects | head -1")
    assert (ended.code, ended.error, len(ended.out.splitlines())) == (0, "", 1)


def test_query_prints_a_table_or_json_lines(terminal: Terminal, run_id: str) -> None:
    sql = f"SELECT crawl, verdict, items FROM runs WHERE run_id = '{run_id}'"  # noqa: S608 - a name of ours
    lines = terminal.run("query", sql).out.splitlines()
    assert [line.split() for line in lines] == [["crawl", "verdict", "items"], ["objects", "complete", str(OBJECTS)]]
    assert terminal.run("query", sql, "--json").documents == [
        {"crawl": "objects", "verdict": "complete", "items": str(OBJECTS)}
    ]
    wrong = terminal.run("query", "SELECT nothing FROM nowhere")
    assert wrong.code == 1
    assert wrong.error.startswith("Athena: FAILED: ")


@pytest.fixture
def changed(terminal: Terminal, run_id: str, source: list[str]) -> Iterator[str]:
    """A later run, before which a key with markup and a control character was put."""
    key = "[bold]zz\x1b[31m[/bold]"
    s3 = terminal.deployed.s3
    s3.put_object(Bucket="source", Key=key, Body=b"x")
    yield terminal.run("start", "objects", "--watch", "--json").documents[0]["run_id"]
    s3.delete_object(Bucket="source", Key=key)
    assert terminal.run("start", "objects", "--watch").code == 0


def test_changes_are_those_of_a_run_or_between_two(terminal: Terminal, run_id: str, changed: str) -> None:
    said = terminal.run("changes", changed)
    assert said.code == 0
    assert "\x1b" not in said.out
    assert "new   [bold]zz�[31m[/bold]" in said.out
    (row,) = terminal.run("changes", changed, "--json").documents
    assert (row["kind"], row["key"]) == ("new", "[bold]zz\x1b[31m[/bold]")
    compared = terminal.run("changes", run_id, changed)
    assert compared.code == 0
    assert f"{changed} compared with {run_id}: 1 new, 0 changed, 0 gone" in compared.out


def test_a_second_run_is_refused_and_a_watch_that_is_interrupted_lets_the_first_go_on(terminal: Terminal) -> None:
    deployed = terminal.deployed
    goes_on = threading.Event()
    deployed.proxy.add(held_pages(goes_on))
    started = terminal.run("start", "objects", "--json")
    assert started.code == 0
    run_id = started.document["run_id"]
    watching = terminal.begin("watch", run_id)
    assert watching.stdout is not None
    assert "page" in watching.stdout.readline()
    refused = terminal.run("start", "objects")
    assert refused.code == 3
    assert f"{run_id} of the crawl objects is still running" in refused.error
    watching.send_signal(signal.SIGINT)
    _, error = watching.communicate()
    assert watching.returncode == 130
    assert f"The run goes on; to watch it again:\n  pageturner watch {run_id}" in error
    goes_on.set()
    assert terminal.run("watch", run_id).code == 0


@pytest.mark.parametrize(
    ("words", "more", "code", "said"),
    [
        (["runs", "--stack", "Nowhere"], {}, 4, "There is no stack Nowhere in us-east-1"),
        (["runs"], {"PAGETURNER_STACK": "Nowhere"}, 4, "Name it with --stack or PAGETURNER_STACK"),
        (["runs", "--region", "eu-west-1"], {}, 4, "There is no stack Pageturner in eu-west-1"),
        (["runs", "--profile", "nobody"], {}, 4, "There is no AWS profile nobody"),
        (["runs"], {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, 4, "AWS does not answer"),
        (["start", "objects", "--set", "nothing"], {}, 2, "must be a key and a value"),
        (["start", "nothing"], {}, 2, 'input.crawl: "nothing" is not in the catalogue'),
        (["start"], {}, 2, "Name a crawl"),
        (["why", "no-such-crawl"], {}, 2, "There is no run no-such-crawl"),
        (["why", "objects-20260203T040506Z-1a2b3c4d"], {}, 2, "There is no run objects-20260203T040506Z-1a2b3c4d"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    words: list[str], more: dict[str, str], code: int, said: str, deployed: Deployed
) -> None:
    ended = Terminal(deployed, more).run(*words)
    assert (ended.code, said in ended.error) == (code, True), ended


def test_without_credentials_it_is_said_where_they_come_from(deployed: Deployed) -> None:
    environment = without_credentials(Terminal(deployed).environment)
    ended = subprocess.run(
        [*PROGRAM, "runs"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 4
    assert ended.stderr.startswith("There are no AWS credentials here")


def test_an_expired_token_is_said_to_be_one(deployed: Deployed) -> None:
    said = b"<Error><Code>ExpiredToken</Code><Message>The security token in the request is expired</Message></Error>"
    answer = Answer(403, b"<ErrorResponse>" + said + b"</ErrorResponse>", "text/xml")
    deployed.proxy.add(answering(lambda _: True, answer, 100))
    ended = Terminal(deployed, {"AWS_ENDPOINT_URL": deployed.proxy.url}).run("runs")
    assert ended.code == 4
    assert ended.error.startswith("The credentials have expired (ExpiredToken")
    assert "log in again" in ended.error


def on_a_terminal(terminal: Terminal, columns: int, *words: str) -> str:
    """What a command draws on a terminal of this width. It ends as it does elsewhere."""
    environment = {**terminal.environment, "TERM": "xterm", "NO_COLOR": "1"}
    return drawn_by(
        [*PROGRAM, *words], columns, environment, terminal.run("crawls").code if words == ("crawls",) else 0
    )


def test_it_fits_a_terminal_of_60_columns_and_changes_in_place(terminal: Terminal, run_id: str) -> None:
    drawn = on_a_terminal(terminal, 60, "start", "objects", "--watch")
    assert "\x1b[1A" in drawn, "it goes up to draw again"
    assert f"{PAGES} pages · {OBJECTS} items" in drawn
    for words in (["runs", "objects"], ["crawls"], ["show", run_id]):
        lines = on_a_terminal(terminal, 60, *words).splitlines()
        tables = [line for line in lines if line.startswith(("run ", "crawl ", "verdict ", "objects", "complete "))]
        assert tables
        assert max(map(cell_len, tables)) <= 60


def test_completion_knows_crawls_and_runs_and_is_silent_without_a_stack(terminal: Terminal, run_id: str) -> None:
    def completed(more: dict[str, str], line: str) -> list[str]:
        asked = {**more, "_PAGETURNER_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "2"}
        said = Terminal(terminal.deployed, asked).run()
        assert said.error == ""
        # click ends with an empty line.
        return [each.partition(",")[2] for each in said.out.splitlines() if each]

    assert "objects" in completed({}, "pageturner start obj")
    assert run_id in completed({}, "pageturner why objects-2")
    assert completed({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "pageturner start obj") == []
