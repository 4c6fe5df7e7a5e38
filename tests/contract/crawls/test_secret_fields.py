"""What is redacted by default, held against botocore's models of all operations that can be crawled.

`python -m tests.contract.crawls.test_secret_fields` writes anew which members look like secrets and are none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jmespath

from local.secret_fields import _WITHIN_THEMSELVES, SECRET, SECRET_FIELDS, lines, secret_at, secrets_of
from pageturner.crawls.crawl import Crawl
from pageturner.crawls.read_only import refusal
from pageturner.crawls.redact_checks import wrong_redact
from pageturner.crawls.secret_fields import DEFAULTS, HASHED, default_redaction
from pageturner.paging import api
from pageturner.paging.expression_shapes import shape_found
from pageturner.paging.expressions import named_field
from pageturner.paging.redaction import MASK

NO_SECRETS = Path(__file__).with_name("no_secrets.txt")
HEADER = """\
# Members of answers that botocore marks as sensitive, or that are named like secrets, and are not redacted by default:
# names, descriptions, addresses and other data that people list; places, IDs and settings of secrets; tokens of pages
# and versions. A line for each service. Written by test_secret_fields.py; read what is new in it.
"""
_LIKE_SECRETS = re.compile(
    r"pass(word|phrase)|secret(?!s?(manager)?(arn|id|name))|token|private_?key|credential|api_?key|user_?data"
    r"|pre_?shared|shared_?key|auth_?key|secret_?key|environment_?variables|signed_?url|stream_?key|kubeconfig",
    re.I,
)
_TEXTS = ("string", "blob", "map", "list")


def crawled() -> Iterator[tuple[str, str]]:
    for service in api.service_names():
        yield from ((service, each) for each in api.operation_names(service) if refusal(service, each) is None)


def fields() -> Iterator[tuple[str, str, str, str]]:
    """Each path of the file, with its service, operation and default."""
    for line in SECRET_FIELDS.read_text(encoding="utf-8").splitlines():
        service, operation, *texts = line.split(" ")
        for text in texts:
            name, _, path = text.partition("=")
            yield service, operation, name, path.removeprefix(HASHED)


def test_every_default_has_fields() -> None:
    assert {name for _, _, name, _ in fields()} == set(DEFAULTS) == set(SECRET)


def test_the_file_is_what_the_table_and_the_models_say() -> None:
    assert SECRET_FIELDS.read_text(encoding="utf-8") == lines()


def test_every_path_names_a_field_that_the_answer_can_have() -> None:
    for service, operation, name, path in fields():
        field = named_field(path, in_lists=True)
        assert field is not None, path
        assert name in DEFAULTS
        shape_found(path, api.operation_model(service, operation).output_shape)
        assert default_redaction(service, operation, ()) is not None
        assert default_redaction(service, operation, tuple(DEFAULTS)) is None


def test_each_secret_of_an_answer_that_has_all_members_is_redacted() -> None:
    """The table says where they are, whatever the paths look like."""
    seen = 0
    for service, operation in sorted({each[:2] for each in fields()}):
        output = api.operation_model(service, operation).output_shape
        answer = _sample(output, ())
        redaction = default_redaction(service, operation, ())
        assert redaction is not None
        redaction.apply(answer, str, b"key")
        for secret, structure, member in _secrets_in(output, answer, secrets_of(service), ()):
            found = jmespath.search(f'"{member}"{secret.behind}', structure)
            texts = list(_texts(found))
            assert texts, (service, operation, member)
            assert all(text in (MASK, None) or text.startswith("hmac-sha256:") for text in texts), (
                service,
                operation,
                member,
                found,
            )
            seen += 1
    assert seen > 500


def _sample(shape: Any, above: tuple[str, ...]) -> Any:
    """An answer with each member, each list and each map; structures are within themselves once."""
    kind = shape.type_name
    if kind == "structure":
        if above.count(shape.name) > (1 if shape.name in _WITHIN_THEMSELVES else 0):
            return {}
        return {name: _sample(its, (*above, shape.name)) for name, its in shape.members.items()}
    if kind == "list":
        return [_sample(shape.member, above), _sample(shape.member, above)]
    if kind == "map":
        return {name: _sample(shape.value, above) for name in ("one", "PASSWORD", "client_secret")}
    return "a secret" if kind in ("string", "blob") else 7


def _secrets_in(shape: Any, value: Any, secrets: Any, above: tuple[str, ...]) -> Iterator[tuple[Any, Any, str]]:
    if shape.type_name == "structure" and value:
        for member, its in shape.members.items():
            if (secret := secret_at(secrets, shape, member)) is not None:
                if "[?" not in secret.behind and not secret.condition:
                    yield secret, value, member
            else:
                yield from _secrets_in(its, value[member], secrets, (*above, shape.name))
    elif shape.type_name == "list":
        for each in value:
            yield from _secrets_in(shape.member, each, secrets, above)
    elif shape.type_name == "map":
        for each in value.values():
            yield from _secrets_in(shape.value, each, secrets, above)


def _texts(found: Any) -> Iterator[Any]:
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from _texts(each)
    else:
        yield found


def test_no_default_makes_the_keys_of_items_equal() -> None:
    checked = 0
    for service, operation in {each[:2] for each in fields()}:
        crawl = Crawl("c", service, operation)
        if crawl.paginator.missing is None and crawl.paginator.refused is None:
            checked += 1
            assert list(wrong_redact(crawl)) == [], (service, operation)
    assert checked > 200


def test_no_secret_is_within_itself() -> None:
    """A shape that contains itself would have paths of any length; those of FSx are in the table."""
    within = set()
    for service, operation in {each[:2] for each in fields()}:
        for shape in _in_circles(api.operation_model(service, operation).output_shape, ()):
            if any(secret_at(secrets_of(service), *each) for each in _members(shape, set())):
                within.add((service, shape.name))
    assert within == {("fsx", name) for name in _WITHIN_THEMSELVES}


def test_what_looks_like_a_secret_is_one_or_was_read() -> None:
    assert NO_SECRETS.read_text(encoding="utf-8") == no_secrets()


def no_secrets() -> str:
    found: dict[str, set[str]] = defaultdict(set)
    for service, operation in crawled():
        output = api.operation_model(service, operation).output_shape
        for structure, member in _members(output, set(), secrets_of(service)):
            shape = structure.members[member]
            is_marked = _is_sensitive(shape)
            if is_marked or (shape.type_name in _TEXTS and _LIKE_SECRETS.search(member)):
                found[service].add(member)
    return HEADER + "".join(f"{service} {' '.join(sorted(found[service]))}\n" for service in sorted(found))


def _is_sensitive(shape: Any) -> bool:
    if shape.metadata.get("sensitive"):
        return True
    inner = {"list": "member", "map": "value"}.get(shape.type_name)
    return inner is not None and _is_sensitive(getattr(shape, inner))


def _members(shape: Any, seen: set[str], secrets: Any = ()) -> Iterator[tuple[Any, str]]:
    """Yield all members of the structures in a shape, but those in what is redacted."""
    if shape is None or shape.name in seen:
        return
    if shape.type_name in ("structure", "list", "map"):
        seen.add(shape.name)
    if shape.type_name == "structure":
        for member, its in shape.members.items():
            if (secret := secret_at(secrets, shape, member)) is not None and not secret.behind:
                continue
            yield shape, member
            yield from _members(its, seen, secrets)
    elif shape.type_name == "list":
        yield from _members(shape.member, seen, secrets)
    elif shape.type_name == "map":
        yield from _members(shape.value, seen, secrets)


def _in_circles(shape: Any, above: tuple[str, ...]) -> Iterator[Any]:
    if shape.name in above:
        yield shape
        return
    inner = {"structure": "members", "list": "member", "map": "value"}.get(shape.type_name)
    found = getattr(shape, inner) if inner is not None else {}
    for each in found.values() if isinstance(found, dict) else [found]:
        yield from _in_circles(each, (*above, shape.name) if shape.type_name == "structure" else above)


if __name__ == "__main__":
    NO_SECRETS.write_text(no_secrets(), encoding="utf-8")
