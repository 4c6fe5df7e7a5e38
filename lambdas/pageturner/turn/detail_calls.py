"""Asks for details: one call for an item, or for the items of a batch. It is done in threads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from pageturner import errors
from pageturner.crawls.detail import Detail
from pageturner.crawls.from_items import in_words
from pageturner.crawls.read_only import refusal
from pageturner.messages import described, shown, without
from pageturner.paging import answers, pagination, token_parameters
from pageturner.paging.expression_limits import Steps
from pageturner.paging.expressions import find
from pageturner.paging.page_size import default_page_size
from pageturner.paging.parameters import for_botocore
from pageturner.paging.redaction import Redaction
from pageturner.turn.endpoints import no_endpoint
from pageturner.turn.records import item_json
from pageturner.turn.redacting import redacted_text
from pageturner.turn.unreadable import unreadable

# An operation that pages is followed for so many pages, which one invocation can turn; more are a listing of their own.
MOST_PAGES = 100
# How often values that a service has left unprocessed are asked for again, before the page waits as if throttled.
_MOST_ROUNDS = 3
# What is in an entry of an error that has a reason. One without is a value that the service has not come to.
_REASONS = ("code", "message", "reason", "error", "exception")


@dataclass(frozen=True)
class Ask:
    """Parameters for a call, and the numbers of the items that it is about: with `batch`, by the values to send.

    Without, under the only value "". Values are JSON text.
    """

    detail: Detail
    parameters: Mapping[str, Any]
    items: dict[str, list[int]]


@dataclass
class Answered:
    """What the details of an ask are, as JSON text, by the value that was sent; None: there is nothing.

    `ignored` counts those that are None because of `ignore_errors`. `inside` are errors beside the answers. `error` is
    why the other values have no answer.
    """

    found: dict[str, str | None] = field(default_factory=dict)
    ignored: int = 0
    inside: list[dict[str, Any]] = field(default_factory=list)
    error: errors.PageturnerError | None = None


@dataclass(frozen=True)
class Caller:
    """Makes the calls of a detail. `method` is the client's; `redaction` is what the crawl redacts.

    The calls for a page share their `steps`.
    """

    detail: Detail
    method: Callable[..., Any]
    region: str
    steps: Steps = field(default_factory=Steps)
    redaction: Redaction | None = None

    def ask(self, ask: Ask) -> Answered:
        """Call the operation, and return what it answers, or why it does not."""
        # Again, because nothing else stands between an invocation with any event and the service.
        if reason := refusal(self.detail.service, self.detail.operation):
            return Answered(error=errors.InvalidRequestError(reason))
        answered = Answered()
        try:
            if self.detail.batch is None:
                self._ask_for_one(ask, answered)
            else:
                self._ask_for_many(ask.parameters, list(ask.items), answered)
        except errors.PageturnerError as error:
            sent = {**ask.parameters, str(self.detail.batch): [json.loads(value) for value in ask.items if value]}
            of = _of_items(sorted(number for numbers in ask.items.values() for number in numbers))
            answered.error = type(error)(f"{without(str(error), sent)} ({of})")
        try:
            answered.found = {value: self._redacted(text) for value, text in answered.found.items()}
        except errors.PageturnerError as error:
            answered.found, answered.error = {}, error
        return answered

    def _redacted(self, text: str | None) -> str | None:
        if text is None or self.redaction is None:
            return text
        return redacted_text(self.redaction, text, self.detail.name)

    def _ask_for_one(self, ask: Ask, answered: Answered) -> None:
        try:
            responses = list(self._responses(ask.parameters))
        except ClientError as error:
            self._ignore(error, ask.parameters, answered)
            answered.found[""] = None
            return
        key = self.detail.found_by
        if key is None:
            (response,) = responses
            value: Any = {name: member for name, member in response.items() if name != "ResponseMetadata"}
        else:
            value = _collected([find("detail.result_key", key, each, self.steps) for each in responses])
            for response in responses:
                self._keep_errors(response, answered)
        answered.found[""] = item_json(value) if value is not None else None

    def _ask_for_many(self, parameters: Mapping[str, Any], values: list[str], answered: Answered) -> None:
        left = values
        for _ in range(_MOST_ROUNDS):
            left = self._ask_for_batch(parameters, left, answered)
            if not left:
                return
        answered.error = errors.ThrottledError(
            f"{self._said({**parameters, str(self.detail.batch): _values(left)})} leaves values unprocessed"
        )

    def _ask_for_batch(self, parameters: Mapping[str, Any], values: list[str], answered: Answered) -> list[str]:
        """Ask for values, and return those that the service has left unprocessed."""
        whole = {**parameters, str(self.detail.batch): _values(values)}
        try:
            responses = list(self._responses(whole))
        except ClientError as error:
            # One value that is not there can fail the whole call: the halves tell which it is.
            self._ignore(error, whole, answered, counted=len(values) == 1)
            if len(values) == 1:
                answered.found[values[0]] = None
                return []
            half = len(values) // 2
            return [
                *self._ask_for_batch(parameters, values[:half], answered),
                *self._ask_for_batch(parameters, values[half:], answered),
            ]
        left: list[str] = []
        elements: dict[str, str] = {}
        for response in responses:
            found = find("detail.result_key", str(self.detail.found_by), response, self.steps)
            for element in found if isinstance(found, list) else []:
                elements[self._value_of(element, values, elements)] = item_json(element)
            left += self._keep_errors(response, answered, values)
        left = [value for value in left if value not in elements]
        answered.found |= {value: elements.get(value) for value in values if value not in left}
        return left

    def _value_of(self, element: Any, values: list[str], elements: Mapping[str, str]) -> str:
        match = str(self.detail.match)
        value = item_json(find("detail.match", match, element, self.steps))
        if value in values and value not in elements:
            return value
        is_twice = "which another element has, too" if value in values else "which was not asked for"
        raise errors.InvalidRequestError(
            f"detail {self.detail.name}: {self.detail.operation} answers with an element whose {match}, "
            f"{described(json.loads(value))}, is one "
            f"{is_twice}; correct match, or what is sent as {self.detail.batch}"
        )

    def _keep_errors(
        self, response: Mapping[str, Any], answered: Answered, values: list[str] | None = None
    ) -> list[str]:
        """Keep the errors beside the answers, and return which of the `values` are left unprocessed."""
        detail, left = self.detail, []
        members = [
            path for path in answers.error_members(detail.model) if not _is_within(".".join(path), detail.found_by)
        ]
        for error in answers.errors_in_members(detail.model, response, members):
            about = _about(error["error"], values or [])
            if "unprocessed" in error["member"].lower() and about is not None and not _has_reason(error["error"]):
                left.append(about)
            elif detail.ignore_errors & answers.words_in(error["error"]):
                answered.ignored += 1
            else:
                answered.inside.append({**error, "member": f"{detail.name}.{error['member']}"})
        return left

    def _responses(self, parameters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the answer, or all pages of it. Raises `ClientError`, and the errors of `pageturner.errors`."""
        detail = self.detail
        sent = for_botocore(detail.model, parameters)
        if not detail.pages:
            yield self._called(self.method, **sent)
            return
        definition = detail.paginator
        size = default_page_size(detail.service, detail.operation, definition, parameters, {})
        token: str | None = None
        for _ in range(MOST_PAGES):
            try:
                page = self._called(
                    pagination.fetch_page,
                    self.method,
                    detail.model,
                    definition,
                    sent,
                    {} if size is None else {"PageSize": size},
                    token=token,
                    excluded_by_token=token_parameters.excluded_by_token(detail.service, detail.operation),
                )
            except ClientError as error:
                if token is None:
                    raise
                # Whoever hears of it, hears no token.
                error.args = (without(str(error), pagination.tokens_in_any(token)),)
                if not _rejects_token(error, detail):
                    raise
                # It is asked again, from its first page.
                raise errors.TransientError(f"{self._said(parameters)} rejects its own token: {error}") from error
            yield page.response
            if page.next_token is None:
                if more := answers.truncated_by(detail.model, page.response):
                    raise errors.TruncatedListingError(f"{self._said(parameters)} says {more}, but has no token")
                return
            if page.repeated_token:
                raise errors.RepeatedTokenError(f"{self._said(parameters)} returns the same token again")
            token = page.next_token
        raise errors.InvalidRequestError(
            f"{self._said(parameters)} has more than {MOST_PAGES} pages; list that in a crawl of its own, with for_each"
        )

    def _called(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except ClientError:
            raise
        except EndpointConnectionError as error:
            # Not `absent`: the listing is there.
            absent = no_endpoint(error, self.detail.service, self.region)
            kind = errors.TransientError if absent is None else errors.InvalidRequestError
            raise kind(f"detail {self.detail.name}: {absent or errors.said(error)}") from error
        except (ResponseParserError, *errors.UNEXPECTED_VALUES) as error:
            found = unreadable(error)
            raise type(found)(f"detail {self.detail.name}: {found}") from error
        except (*errors.SERVICE_ERRORS, errors.InvalidRequestError) as error:  # the latter if it is too large
            found = errors.from_botocore_error(error)
            raise type(found)(f"detail {self.detail.name}: {found}") from error

    def _ignore(
        self, error: ClientError, parameters: Mapping[str, Any], answered: Answered, *, counted: bool = True
    ) -> None:
        """Raise what an error means for the page, unless the detail ignores it."""
        from pageturner.paging.error_meanings import Sent, from_client_error  # only an error needs its expressions

        found = from_client_error(error, self.detail.model, Sent())
        code = error.response.get("Error", {}).get("Code", "")
        if code in self.detail.ignore_errors and not isinstance(found, errors.ThrottledError):
            answered.ignored += counted
            return
        said = f"{self._said(parameters)}: {found}"
        if not isinstance(found, errors.ThrottledError | errors.TransientError):
            said += f"; for null where that is so, add {shown(code)} to the ignore_errors of this detail"
        raise type(found)(said) from error

    def _said(self, parameters: Mapping[str, Any]) -> str:
        detail = self.detail
        return f"detail {detail.name}: {detail.service} {detail.operation} with {in_words(parameters)}"


def _rejects_token(error: ClientError, detail: Detail) -> bool:
    from pageturner.paging.error_meanings import Sent, from_client_error

    return isinstance(from_client_error(error, detail.model, Sent(token=True, accepted=True)), errors.TokenInvalidError)


def _collected(found: list[Any]) -> Any:
    """Return what the pages of a detail have together: the elements of lists, the entries of maps, or a value."""
    there = [each for each in found if each is not None]
    if len(there) < 2:
        return there[0] if there else None
    if all(isinstance(each, list) for each in there):
        return [element for each in there for element in each]
    if all(isinstance(each, Mapping) for each in there):
        return {name: value for each in there for name, value in each.items()}
    raise errors.InvalidCrawlError(
        "detail.result_key: finds neither lists nor maps on several pages, nothing to collect"
    )


def _of_items(numbers: list[int]) -> str:
    """Which items of a page something is about, by their places, because their keys are theirs."""
    first = ", ".join(str(number + 1) for number in numbers[:5])
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"{'item' if len(numbers) == 1 else 'items'} {first}{more} of the page"


def _values(texts: list[str]) -> list[Any]:
    return [json.loads(text) for text in texts]


def _about(error: Any, values: list[str]) -> str | None:
    """Return which of the values that were sent an error is about: it is that value, or one of its members is."""
    candidates = [error, *error.values()] if isinstance(error, Mapping) else [error]
    return next((text for each in candidates if (text := item_json(each)) in values), None)


def _has_reason(error: Any) -> bool:
    return isinstance(error, Mapping) and any(word in name.lower() for name in error for word in _REASONS)


def _is_within(member: str, key: str | None) -> bool:
    """Whether a member is what an expression like ``A.B`` finds, or a part of it."""
    return key is not None and f"{member}.".startswith(f"{key}.")
