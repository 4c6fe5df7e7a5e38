"""What every declared error of every operation that can be crawled means, held against a file that people have read.

`python -m tests.contract.paging.test_declared_errors` writes the file anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import OperationModel

from pageturner.crawls.read_only import refusal
from pageturner.paging import api
from pageturner.paging.error_meanings import Sent, from_client_error
from pageturner.paging.paginators import NEVER_ENDING, paginator_of

MEANINGS = Path(__file__).with_name("declared_errors.txt")
# A first page; a first page with a StartingToken; a later page, whose request was accepted without its token.
SITUATIONS = (Sent(), Sent(token=True), Sent(token=True, accepted=True))
HEADER = """\
# What the declared errors of all operations that page mean: number of operations, code, and the class of the error
# on a first page, on a first page with a StartingToken, and on a later page; one class if all three are the same.
# Services for which a code means something else are named. Written by test_declared_errors.py; read it after a change.
"""


def paging() -> Iterator[tuple[str, OperationModel]]:
    for service in api.service_names():
        for operation in api.operation_names(service):
            paginator = paginator_of(service, operation, {})
            is_crawled = not paginator.is_one_page or refusal(service, operation) is None
            if (service, operation) not in NEVER_ENDING and not paginator.missing and is_crawled:
                yield service, api.operation_model(service, operation)


def response(model: OperationModel, shape: Any) -> ClientError:
    """The error response that a service sends for a declared error."""
    status = (shape.metadata.get("error") or {}).get("httpStatusCode") or (
        500 if api.is_fault(model.service_model.service_name, shape.name) else 400
    )
    answer: Any = {"Error": {"Code": shape.error_code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, model.name)


def meaning(model: OperationModel, shape: Any) -> str:
    names = [
        type(from_client_error(response(model, shape), model, sent)).__name__.removesuffix("Error")
        for sent in SITUATIONS
    ]
    return names[0] if len(set(names)) == 1 else " ".join(names)


def meanings() -> tuple[str, Counter[str]]:
    """The file's text, and the number of operations, of declared errors and of meanings."""
    services: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
    for service, model in paging():
        counts["operations"] += 1
        shapes: list[Any] = list(model.error_shapes)
        for shape in shapes:
            found = meaning(model, shape)
            services[shape.error_code, found][service] += 1
            counts["errors"] += 1
            counts[found] += 1
    usual: dict[str, tuple[int, str]] = {}
    for (code, found), by_service in services.items():
        usual[code] = max(usual.get(code, (0, "")), (by_service.total(), found))
    lines = []
    for (code, found), by_service in sorted(services.items(), key=lambda each: (each[0][0].lower(), each[0])):
        others = "" if usual[code][1] == found else f"  in {', '.join(sorted(by_service))}"
        lines.append(f"{by_service.total():5} {code} {found}{others}\n")
    totals = "".join(f"# {number:6} {name}\n" for name, number in sorted(counts.items()))
    return HEADER + totals + "".join(lines), counts


def test_every_declared_error_means_what_people_have_read() -> None:
    text, counts = meanings()
    assert counts["operations"] > 4_300
    assert counts["errors"] > 16_000
    assert text == MEANINGS.read_text(encoding="utf-8")


if __name__ == "__main__":
    MEANINGS.write_text(meanings()[0], encoding="utf-8")
