"""Whatever `crawls.yaml` holds, it is read or refused with a sentence: it neither ends the process nor fills it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.catalogue import LARGEST_FILE, read_catalogue
from infra.settings import SettingError, Settings
from pageturner.crawls.bounds import DEEPEST, wrong_document
from pageturner.errors import InvalidCrawlError

CRAWL = "crawls: {c: {service: s3, operation: list_objects_v2, parameters: {Bucket: %s}}}"
LAUGHS = "\n".join(
    ["crawls:", "  a: &a0 {service: s3}", *(f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
)
MERGES = "\n".join(
    [
        "crawls:",
        "  a: &a0 {service: s3}",
        *(
            f"  a{n}: &a{n} {{b: {{<<: [*a{n - 1}, *a{n - 1}]}}, <<: [{', '.join([f'*a{n - 1}'] * 9)}]}}"
            for n in range(1, 40)
        ),
    ]
)
# The file, and what is said of it.
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "aliases of aliases": (LAUGHS, "has more than 1,000,000 values, with those that its aliases stand for"),
    "merged aliases": (MERGES, f"is nested more than {DEEPEST} deep|has more than 1,000,000 values"),
    "an alias of itself": ("crawls: &a {c: *a}", f"crawls.yaml:1: is nested more than {DEEPEST} deep"),
    "a list of itself": ("crawls: {c: &a [*a, *a]}", "crawls.yaml:1: (is nested|has more than)"),
    "a merge of itself": ("crawls: {c: &a {<<: *a}}", f"is nested more than {DEEPEST} deep"),
    "deep lists": (CRAWL % ("[" * 5000 + "]" * 5000), f"is nested more than {DEEPEST} deep"),
    "deep lists that Python can hold": (CRAWL % ("[" * 100 + "]" * 100), f"is nested more than {DEEPEST} deep"),
    "deep blocks": ("\n".join(" " * n + "a:" for n in range(500)), f"is nested more than {DEEPEST} deep"),
    "a list as a key": (
        "crawls: {[a, b]: {service: s3}}",
        "crawls.yaml:1: a key is a list or a mapping; all keys must",
    ),
    "a mapping as a key": (CRAWL % "{? {a: b} : c}", "crawls.yaml:1: a key is a list or a mapping; all keys must be"),
    "a number as a key": (CRAWL % "{1: b}", "crawls.c.parameters.Bucket: a key is a int; all keys must be text"),
    "a truth value as a key": ("crawls: {on: {service: s3}}", "crawls.True: invalid name true"),
    "null as a key": ("crawls: {c: {~: s3}}", "crawls.c: a key is a NoneType; all keys must be text, in quotes"),
    "bytes": (CRAWL % "!!binary aGVsbG8=", "could not determine a constructor for the tag .*binary"),
    "a set": (CRAWL % "!!set {a, b}", "could not determine a constructor for the tag .*set"),
    "pairs": (CRAWL % "!!pairs [a: b]", "could not determine a constructor for the tag .*pairs"),
    "a time": (CRAWL % "!!timestamp 2026-01-01", "could not determine a constructor for the tag .*timestamp"),
    "an object": (CRAWL % "!!python/object/apply:os.getcwd []", "could not determine a constructor for the tag"),
    "no number": (CRAWL % ".nan", "crawls.c.parameters.Bucket: is nan, and must be a number"),
    "infinity": (CRAWL % "-.inf", "crawls.c.parameters.Bucket: is -inf, and must be a number"),
    "a float that is too large": (CRAWL % "1.0e+999", "crawls.c.parameters.Bucket: is inf, and must be a number"),
    "an integer that is too large": (CRAWL % 10**20, "crawls.c.parameters.Bucket: is a number of more than 64 bits"),
    "thousands of digits": (CRAWL % ("1" + "0" * 5000), 'cannot be read as int\n  in "crawls.yaml", line 1'),
    "a wrong truth value": (CRAWL % "!!bool maybe", "cannot be read as bool"),
    "a wrong number": (CRAWL % "!!float x", "cannot be read as float"),
    "half a surrogate pair": (CRAWL % r'"\ud800"', "crawls.c.parameters.Bucket: is not valid Unicode"),
    "half a surrogate pair as a key": (CRAWL % r'{"\ud800": 1}', "a key is not valid Unicode"),
    "a tab": ("crawls:\n\tc: {}", "found character '\\\\t' that cannot start any token"),
    "a NUL": ("crawls: \0", "special characters are not allowed"),
    "several documents": ("crawls: {}\n---\ncrawls: {}", "expected a single document"),
    "UTF-16": ("crawls: {}".encode("utf-16"), "cannot be read: 'utf-8' codec can't decode"),
    "no text": (bytes(range(256)), "cannot be read: 'utf-8' codec can't decode"),
    "an unknown alias": ("crawls: *c", "found undefined alias"),
    "a huge file": ("#" * (LARGEST_FILE + 1), "the file has 4,194,305 bytes, and may have 4,194,304"),
    "a duplicate key": ("crawls: {c: {service: s3, service: ec2}}", "crawls.yaml:1: service: duplicate key"),
    "ten thousand unknown keys": (
        "crawls: {c: {service: s3, operation: list_buckets, " + ", ".join(f"k{n}: 1" for n in range(10_000)) + "}}",
        "crawls.c.k0: unknown key.*\n.*and more; correct these first",
    ),
    "an unknown key of 100,000 characters": ("crawls: {c: {? %s : 1}}" % ("k" * 100_000), "crawls.c.k*…: unknown key"),
    "a thousand wrong crawls": (
        "crawls:\n" + "\n".join(f"  c{n}: {{service: x}}" for n in range(1000)),
        "crawls.c0.operation: .*\n.*and more; correct these first",
    ),
    "a name of 100,000 characters": ("crawls: {? %s : {}}" % ("n" * 100_000), "invalid name"),
    "a matrix without end": (
        "crawls: {c: {service: s3, operation: list_objects_v2, for_each: {matrix: {Bucket: [%s], Prefix: [%s], "
        "Delimiter: [%s]}}}}" % ((", ".join(f"b{n}" for n in range(500)),) * 3),
        "crawls.c.for_each.matrix: makes 125,000,000 targets, and a run can have 1,000,000",
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_catalogue_is_refused_with_a_sentence(what: str, tmp_path: Path) -> None:
    file, said = HOSTILE[what]
    path = tmp_path / "crawls.yaml"
    path.write_bytes(file.encode() if isinstance(file, str) else file)
    with pytest.raises((InvalidCrawlError, SettingError), match=f"(?s){said}") as raised:
        Settings(catalogue=str(path)).crawls()
    assert len(str(raised.value)) <= 8_001


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffcrawls: {c: {service: s3, operation: list_buckets}}",
        "crawls: {c: &c {service: s3, operation: list_buckets}, d: *c}",
        "crawls: {c: &c {service: s3, operation: list_buckets}, d: {<<: *c, key: Name}}",
        "crawls: {c: {service: !!str s3, operation: list_buckets, schedule: rate(1 day)}}\r\n",
    ],
)
def test_what_people_write_is_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "crawls.yaml"
    path.write_bytes(text.encode())
    assert read_catalogue(path)["c"].operation == "list_buckets"


def test_a_setting_of_any_length_has_a_short_message() -> None:
    with pytest.raises(SettingError) as raised:
        Settings(stack_name="1" * 100_000)
    assert len(str(raised.value)) < 2_100


PIECES = st.sampled_from(
    [
        *(
            "crawls:",
            " c:",
            "\n",
            "  ",
            "\t",
            "{",
            "}",
            "[",
            "]",
            ",",
            ": ",
            "- ",
            "&a ",
            "*a",
            "<<: ",
            "!!binary ",
            "!!",
        ),
        *(
            "service: s3",
            "operation: list_buckets",
            "for_each: ",
            "key: ",
            "'",
            '"',
            "|",
            ">",
            "#",
            "%",
            "---",
            "?",
            "~",
        ),
        *(
            "on",
            "1",
            "1e999",
            ".nan",
            "0o7",
            "1:30",
            "2026-01-01",
            "\\ud800",
            "\x85",
            "\u2028",
            "é",
            "!!int ",
            "!!set ",
        ),
    ]
)


@settings(max_examples=800)
@given(st.one_of(st.lists(PIECES, max_size=25).map("".join), st.text(), st.binary()))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, file: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(file.encode(errors="surrogatepass") if isinstance(file, str) else file)
    try:
        crawls = read_catalogue(path)
    except (InvalidCrawlError, UnicodeDecodeError, yaml.YAMLError):
        return
    assert all(wrong_document(crawl.as_dict(), "") is None for crawl in crawls.values())
