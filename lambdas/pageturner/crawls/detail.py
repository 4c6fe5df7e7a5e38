"""Details: operations that are called for the items of a page, and whose answers become members of the items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.model import OperationModel
from jmespath.exceptions import JMESPathError

from pageturner.paging import api, pagination
from pageturner.paging.batch_reads import list_of_elements, member_that_repeats, most_values
from pageturner.paging.expression_shapes import FindsNothingError, Structure, shape_found
from pageturner.paging.paginators import paginator_of

# The member that has the item itself, where it is no structure.
VALUE = "value"


@dataclass(frozen=True)
class Detail:
    """One element of the crawl's `detail`.

    `parameters` are JMESPath on ``{item, account, region, parameters}``. `name` is the key `as`. With `batch`, a
    parameter, the values of many items go into one call, and `match`, JMESPath on an element of its answer, finds the
    value that the element is about.
    """

    service: str
    operation: str
    parameters: Mapping[str, str]
    name: str
    result_key: str | None = None
    batch: str | None = None
    stated_match: str | None = None
    ignore_errors: frozenset[str] = frozenset()

    @property
    def model(self) -> OperationModel:
        """The operation's model."""
        return api.operation_model(self.service, self.operation)

    @cached_property
    def paginator(self) -> Mapping[str, Any]:
        """The operation's paginator, with what is missing in it; empty if the operation does not page."""
        stated = {} if self.result_key is None else {"result_key": self.result_key}
        definition = paginator_of(self.service, self.operation, {}).definition
        if not definition.get("input_token") or not definition.get("output_token"):
            return {}
        return definition if "result_key" in definition else {**definition, **stated}

    @property
    def pages(self) -> bool:
        """Whether the operation pages by itself."""
        return bool(self.paginator)

    @property
    def may_lack(self) -> str | None:
        """Why nothing says that an answer is whole, where the operation cannot be paged; None if it is, or can."""
        found = paginator_of(self.service, self.operation, {})
        return None if found.definition else found.refused or found.missing

    @cached_property
    def found_by(self) -> str | None:
        """JMESPath on an answer: the detail, its list if it pages, the elements of a batch; None: the whole answer."""
        if self.result_key is not None:
            return self.result_key
        if "result_key" in self.paginator:
            return pagination.result_keys(self.paginator)[0]
        return list_of_elements(self.model) if self.batch is not None else None

    @cached_property
    def match(self) -> str | None:
        """JMESPath on an element of a batch's answer: the value that was sent; None if nothing says which."""
        if self.stated_match is not None or self.batch is None:
            return self.stated_match
        return member_that_repeats(self.batch, self.shape)

    @property
    def most_values(self) -> int:
        """How many values go into one call."""
        return most_values(self.service, self.operation, self.batch) if self.batch is not None else 1

    @cached_property
    def shape(self) -> Any:
        """The shape of the detail of an item; None if no model describes it."""
        return self.shape_in(self.model.output_shape)

    def shape_in(self, answer: Any) -> Any:
        """Return the shape of the detail in an answer of that shape."""
        found = answer
        if self.found_by is not None:
            try:
                found = shape_found(self.found_by, found)
            except (JMESPathError, FindsNothingError):
                return None
        return getattr(found, "member", None) if self.batch is not None else found


def details_of(stated: Any, service: str) -> tuple[Detail, ...]:
    """Return the details that a crawl of `service` states: one, a list of them, or None."""
    if stated is None:
        return ()
    return tuple(_detail(each, service) for each in ([stated] if isinstance(stated, Mapping) else stated))


def _detail(stated: Mapping[str, Any], service: str) -> Detail:
    return Detail(
        stated.get("service", service),
        stated["operation"],
        stated["parameters"],
        stated["as"],
        stated.get("result_key"),
        stated.get("batch"),
        stated.get("match"),
        frozenset(stated.get("ignore_errors", ())),
    )


def detailed_shape(item: Any, details: Iterable[Detail]) -> Any:
    """Return the shape of items of the shape `item` with their details; None where no model describes the item."""
    named = {each.name: each.shape for each in details}
    if item is None or not named or getattr(item, "is_document_type", False):
        return item if item is None or not named else None
    return Structure({**(item.members if item.type_name == "structure" else {VALUE: item}), **named})


def with_details(shapes: Iterable[Any], details: Iterable[Detail]) -> Iterator[Any]:
    """Yield the shapes of the items of each result key: those of the primary one have the details."""
    for number, shape in enumerate(shapes):
        yield detailed_shape(shape, details) if number == 0 else shape
