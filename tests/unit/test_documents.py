"""README and docs: links resolve, named files exist, catalogues are valid, and messages are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.catalogue import read_catalogue
from pageturner.errors import InvalidCrawlError
from pageturner.page_state import Place, Run, Target
from pageturner.stores import keys

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [PROJECT / "README.md", PROJECT / "SECURITY.md", *sorted((PROJECT / "docs").glob("*.md"))]
# The documents may name a file relative to any of these folders.
FOLDERS = [
    "",
    "lambdas/pageturner/",
    "tests/e2e/",
    "tests/formats/",
    "tests/functional/",
    "tests/functional/finish/",
    "tests/functional/plan/",
    "tests/functional/publish/",
    "tests/functional/turn/",
    "tests/infra/",
    "tests/machines/",
]


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub generates them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in (link for link in links if "://" not in link):
        name, _, anchor = link.partition("#")
        target = (document.parent / name) if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    names = re.findall(r"`([\w./-]+(?:\.(?:py|json|yaml|toml|md|txt)|/))`", document.read_text(encoding="utf-8"))
    # A run or a command creates these.
    made = (
        *(
            "manifest.json",
            "targets.json",
            "batches.json",
            "cdk.out",
            "runs/",
            "items/",
            "map-results",
            "athena-results",
            "tokens/",
        ),
        *("changes/", "comparisons/", "finishing/", "publishing/", "published/", "summaries/", "tables/"),
    )
    for name in (name for name in names if not name.startswith(made)):
        assert any((PROJECT / folder / name).exists() for folder in FOLDERS), name


def test_every_record_has_its_line_in_who_writes_what() -> None:
    text = (PROJECT / "docs" / "reliability.md").read_text(encoding="utf-8")
    table = text.partition("## Who writes what")[2].partition("\n## ")[0]
    named = {name.partition("#")[0] for name in re.findall(r"`([^`]+)`", table)}
    templates = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)]
    assert {template.partition("#")[0] for template in templates} <= named
    run, target, place = Run("r", "d", "s", "e", 0), Target("t", "1", "r", {}), Place()
    objects = [keys.page_key(run, "c", target, place), keys.token_key(run, "t"), keys.manifest_key(run)]
    objects += [keys.targets_key(run), keys.resumed_targets_key(run, "plan")]
    objects += [keys.manifest_prefix(run), keys.finishing_prefix(run)]
    for key in objects:
        first = re.split(r"[^a-z]", key.removeprefix("runs/r/"))[0]
        assert any(first in name for name in named), key


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_catalogues_in_documents_are_valid(document: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(crawls:\n.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        path = tmp_path / "crawls.yaml"
        path.write_text(block)
        assert read_catalogue(path)
    assert blocks or document.name not in ("README.md", "reference.md")


def test_the_inventory_that_the_catalogue_has_in_a_comment_is_valid(tmp_path: Path) -> None:
    text = (PROJECT / "crawls.yaml").read_text(encoding="utf-8")
    commented = text[text.index("  # inventory:\n") :]
    path = tmp_path / "crawls.yaml"
    path.write_text("crawls:\n" + re.sub(r"^  # ", "  ", commented, flags=re.MULTILINE))
    (crawl,) = read_catalogue(path).values()
    assert (crawl.name, crawl.operations, crawl.schedule) == ("inventory", "inventory", "cron(0 2 * * ? *)")


def test_the_message_in_the_readme_is_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "crawls.yaml"
    path.write_text(
        "crawls:\n  two:\n    service: s3\n    operation: list_buckets" + 8 * "\n" + "    regons: [us-east-1]\n"
    )
    with pytest.raises(InvalidCrawlError) as raised:
        read_catalogue(path)
    assert f"\n```\n{raised.value}\n```\n" in DOCUMENTS[0].read_text(encoding="utf-8")
