"""Every paginator of the installed botocore, with botocore's own `paginate()` as the oracle.

Each paginator pages listings generated from a fixed seed: several pages, empty pages, missing keys, tokens of every
type, truncated listings, repeated tokens, any StartingToken. Our one-page step, with its state serialized to JSON
between pages, must make the same requests and return the same pages, tokens and errors.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
import pytest
from botocore.model import OperationModel, Shape
from botocore.paginate import Paginator, TokenEncoder
from botocore.utils import set_value_from_jmespath

from pageturner.paging import api, pagination

LISTINGS_EACH = 7
LISTINGS_WITH_SEVERAL_TOKENS = 100  # only three paginators have several input tokens
PARTS = 8  # test cases that share the paginators, so that a failure is quicker to find

PAGINATORS = [
    (service, name, paginator)
    for service in api.service_names()
    for name, paginator in api._paginators(service).items()
]


class Listing:
    """A service that serves one generated listing and records its requests."""

    def __init__(self, rng: random.Random, model: OperationModel, paginator: Mapping[str, Any]) -> None:
        self.rng = rng
        self.model = model
        self.paginator = paginator
        self.requests: list[dict[str, Any]] = []
        count = rng.randint(1, 4)
        self.tokens: list[Any] = [None, *(self._tokens(number) for number in range(1, count))]
        ending = rng.random()
        if ending < 0.1:
            self.tokens.append(self.tokens[-1])  # the last page returns its own token again
        self.pages = [
            self._page(number, self.tokens[number + 1] if number + 1 < len(self.tokens) else None)
            for number in range(count)
        ]

    def __call__(self, **arguments: Any) -> dict[str, Any]:
        self.requests.append(copy.deepcopy(arguments))
        assert len(self.requests) < 50, "the paginator does not stop"
        asked = {name: arguments.get(name) for name in pagination.input_tokens(self.paginator)}
        number = self.tokens.index(asked) if asked in self.tokens else 0
        return copy.deepcopy(self.pages[number])

    def _tokens(self, number: int) -> dict[str, Any]:
        names = pagination.input_tokens(self.paginator)
        members: Mapping[str, Shape] = self.model.input_shape.members if self.model.input_shape else {}
        tokens = {name: self._token(members[name], number) for name in names}
        if len(names) > 1 and self.rng.random() < 0.3:
            tokens[self.rng.choice(names[1:])] = None
        return tokens

    def _token(self, shape: Shape, number: int) -> Any:
        if shape.type_name == "map":
            return self.rng.choice([{"id": {"N": str(number)}}, {"id": {"B": b"\x00\xff" + bytes([number])}}])
        if shape.type_name == "integer":
            return number * 10
        return self.rng.choice([f"t{number}", f"t/{number}+ü==", f"a___{number}", "x" * 3000 + str(number)])

    def _page(self, number: int, following: Mapping[str, Any] | None) -> dict[str, Any]:
        page: dict[str, Any] = {"ResponseMetadata": {"RequestId": str(number)}}
        for expression in pagination.result_keys(self.paginator):
            if self.rng.random() < 0.85:
                set_value_from_jmespath(page, expression, self._value(expression, number))
        for expression in self.paginator.get("non_aggregate_keys", []):
            if self.rng.random() < 0.7:
                set_value_from_jmespath(page, expression, f"{expression} of {number}")
        if "more_results" in self.paginator:
            more = following is not None if self.rng.random() < 0.9 else self.rng.choice([True, False, None])
            set_value_from_jmespath(page, self.paginator["more_results"], more)
        outputs = self.paginator["output_token"]
        outputs = outputs if isinstance(outputs, list) else [outputs]
        for expression, name in zip(outputs, pagination.input_tokens(self.paginator), strict=True):
            token = following[name] if following else self.rng.choice([None, None, ""])
            if token is not None:
                self._set_token(page, expression, token)
        return page

    def _value(self, expression: str, number: int) -> Any:
        shape: Any = self.model.output_shape
        for name in expression.split("."):
            shape = shape.members[name]
        size = self.rng.randint(0, 4)
        if shape.type_name == "list":
            if shape.member.type_name == "structure":
                return [{"id": f"{expression}-{number}-{n}"} for n in range(size)]
            return [f"{expression}-{number}-{n}" for n in range(size)]
        if shape.type_name in ("map", "structure"):
            return {f"{number}-{n}": n for n in range(size)}
        if shape.type_name == "string":
            return "abcd"[:size]
        return size

    def _set_token(self, page: dict[str, Any], expression: str, token: Any) -> None:
        """Put `token` where `expression` finds it: in its own member, or in a member of the last item."""
        first, _, other = expression.partition(" || ")
        if other and self.rng.random() < 0.5:
            first = other
        if found := re.fullmatch(r"(.+)\[-1\]\.(\w+)", first):
            items = jmespath.search(found[1], page) or []
            set_value_from_jmespath(page, found[1], [*items, {found[2]: token}])
        else:
            set_value_from_jmespath(page, first, token)


def pagination_config(rng: random.Random, listing: Listing) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if rng.random() < 0.5:
        config["MaxItems"] = rng.choice([rng.randint(1, 9), str(rng.randint(1, 9))])
    if rng.random() < (0.4 if "limit_key" in listing.paginator else 0.03):
        config["PageSize"] = rng.choice([2, "2"])
    if rng.random() < 0.3:
        tokens = rng.choice(listing.tokens)
        config["StartingToken"] = rng.choice(
            [
                TokenEncoder().encode(
                    {**tokens} if tokens else dict.fromkeys(pagination.input_tokens(listing.paginator))
                ),
                TokenEncoder().encode({**(tokens or {}), "boto_truncate_amount": rng.randint(0, 3)}),
                f"t{rng.randint(1, 3)}___{rng.randint(0, 3)}",
                "t1",
                "no such token",
            ]
        )
    return config


def request_parameters(rng: random.Random, listing: Listing) -> dict[str, Any]:
    parameters: dict[str, Any] = {"Filter": "x"}
    if rng.random() < 0.2:
        # A caller may set the API's own token parameter; the requests for later pages must not repeat it.
        parameters[rng.choice(pagination.input_tokens(listing.paginator))] = "the caller's own"
    return parameters


Outcome = tuple[list[Any], list[Any], str | None, str | None, Mapping[str, Any]]


def by_botocore(listing: Listing, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> Outcome:
    pages, error, resume_token, aggregate = [], None, None, {}
    try:
        iterator: Any = Paginator(listing, listing.paginator, listing.model).paginate(  # type: ignore[arg-type]
            **parameters, PaginationConfig=dict(config)
        )
        for page in iterator:
            pages.append(copy.deepcopy(page))
            aggregate = iterator.non_aggregate_part
        resume_token = iterator.resume_token
    except Exception as raised:  # noqa: BLE001 - ours must raise the same error
        error = f"{type(raised).__name__}: {raised}"
    return pages, listing.requests, resume_token, error, aggregate


def by_pageturner(listing: Listing, config: Mapping[str, Any], parameters: Mapping[str, Any]) -> Outcome:
    pages: list[Any] = []
    error: str | None = None
    aggregate: Mapping[str, Any] = {}
    state: dict[str, Any] = {"token": None, "taken": 0}
    try:
        while True:
            page = pagination.fetch_page(
                listing,
                listing.model,
                listing.paginator,
                parameters,
                config,
                token=state["token"],
                taken=state["taken"],
            )
            pages.append(page.response)
            if len(pages) == 1:
                aggregate = page.non_aggregate
            if page.next_token is None:
                return pages, listing.requests, page.resume_token, None, aggregate
            if page.repeated_token:
                error = "PaginationError: Error during pagination: The same next token was received twice"
                break
            state = json.loads(json.dumps({"token": page.next_token, "taken": state["taken"] + page.taken}))
    except Exception as raised:  # noqa: BLE001 - botocore must raise the same error
        error = f"{type(raised).__name__}: {raised}"
    return pages, listing.requests, None, error, aggregate


def listings(part: int) -> Iterator[tuple[str, Listing, Listing, dict[str, Any], dict[str, Any]]]:
    for service, name, paginator in PAGINATORS[part::PARTS]:
        model = api.service_model(service).operation_model(name)
        several = len(pagination.input_tokens(paginator)) > 1
        for number in range(LISTINGS_WITH_SEVERAL_TOKENS if several else LISTINGS_EACH):
            label = f"{service} {name} {number}"
            ours = Listing(random.Random(label), model, paginator)
            theirs = Listing(random.Random(label), model, paginator)
            rng = random.Random(f"{label} request")
            yield label, ours, theirs, pagination_config(rng, ours), request_parameters(rng, ours)


@pytest.mark.parametrize("part", range(PARTS))
def test_pages_as_botocore_does(part: int) -> None:
    seen = 0
    for label, ours, theirs, config, parameters in listings(part):
        expected = by_botocore(theirs, config, parameters)
        actual = by_pageturner(ours, config, parameters)
        said = expected[3].split(": {")[0] if expected[3] and "same next token" in expected[3] else expected[3]
        assert actual == (expected[0], expected[1], expected[2], said, expected[4]), f"{label} {config} {parameters}"
        seen += 1
    assert seen >= 20_000 / PARTS


def test_the_listings_have_every_case_in_them() -> None:
    """The comparison proves nothing unless the generated listings include these cases."""
    met: dict[str, int] = {}
    for _, _, theirs, config, parameters in listings(0):
        pages, requests, resume_token, error, _ = by_botocore(theirs, config, parameters)
        for case, is_met in {
            "several pages": len(pages) > 1,
            "cut": resume_token is not None and "MaxItems" in config,
            "same token": error is not None and "same next token" in error,
            "started": "StartingToken" in config and len(pages) > 1,
            "error": error is not None,
            "page size": "PageSize" in config and len(requests) > 0,
            "several tokens": len(pagination.input_tokens(theirs.paginator)) > 1,
        }.items():
            met[case] = met.get(case, 0) + is_met
    assert all(count > 3 for case, count in met.items() if case != "several tokens"), met


def test_there_are_as_many_as_documented() -> None:
    assert len(PAGINATORS) >= 3449
