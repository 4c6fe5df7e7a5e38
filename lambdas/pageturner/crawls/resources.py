"""The resources that an operation's parameters name, as ARNs.

``resources.txt`` has templates of ARNs; `make read-operations` writes it from the Service Authorization Reference. For
an operation that it does not have, nothing says which resources it is about.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

_FILE = Path(__file__).with_name("resources.txt")
# In a template: a parameter, or JMESPath that begins with one, and how its value is read: ``{QueueUrl:queue}``.
PLACEHOLDER = re.compile(r"(?<!\$)\{(?P<path>(?P<parameter>\w+)[^{}:]*)(?::(?P<form>[a-z]+))?\}")
_ARN = re.compile(r"arn:[a-z-]+:(?P<service>[a-z0-9-]+):[a-z0-9-]*:(?:[0-9]{12}|aws|):.+", re.DOTALL)
_ACCESS_POINT = re.compile(r"arn:[a-z-]+:s3:[a-z0-9-]*:[0-9]{12}:accesspoint[/:](?P<name>[^/:]+)")
_QUEUE = re.compile(r"https?://[^/]+/(?:.+/)?(?P<account>[0-9]{12})/(?P<name>[^/]+)")
# What means more than itself in a policy (IAM User Guide, "IAM policy elements: Variables and tags") …
_SPECIAL = re.compile(r"[*?$]")
# … and what cannot be in one (IAM API Reference, PutRolePolicy, PolicyDocument).
_UNSPEAKABLE = re.compile("[^\t\n\r\x20-\xff]+")


class _Unknown:
    """A value that only a run knows. It can be any, so it is equal to each."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__


UNKNOWN = _Unknown()


@dataclass(frozen=True, order=True)
class Resource:
    """An ARN with ``${Partition}``, ``${Region}`` and ``${Account}`` in it, and the `kind` that matches all like it."""

    arn: str
    kind: str


def resources_of(service: str, operation: str, parameters: Mapping[str, Any]) -> frozenset[Resource]:
    """Return the resources that parameters, of which some can be `UNKNOWN`, name; empty if that is not known.

    A value matches nothing but itself, except where it has characters that no policy can have.
    """
    found: set[Resource] = set()
    named = unnamed = False
    templates = _templates(service).get(operation, ())
    for template in templates:
        place = _last(template)
        is_given = place is None or place["parameter"] in parameters
        if is_given and template.startswith("*"):
            return frozenset()
        if is_given:
            found |= set(_filled(template, templates, parameters))
            named = named or place is not None
        else:
            unnamed = unnamed or not template.startswith("*")
    # Where nothing is named that could be, the call is about all there is.
    return frozenset() if unnamed and not named else frozenset(found)


def escaped(text: str) -> str:
    """Return a text as it stands in a policy's resource for nothing but itself."""
    return _UNSPEAKABLE.sub("*", _SPECIAL.sub(lambda found: f"${{{found[0]}}}", text))


@cache
def _templates(service: str) -> Mapping[str, tuple[str, ...]]:
    """The templates of a service's operations, without parsing those of others."""
    found: dict[str, tuple[str, ...]] = {}
    with _FILE.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(f"{service} "):
                operations, _, templates = line.partition(" = ")
                found |= dict.fromkeys(operations.split()[1:], tuple(templates.split()))
    return found


def _filled(template: str, templates: Sequence[str], parameters: Mapping[str, Any]) -> Iterator[Resource]:
    """Yield the resources of one of an operation's `templates`."""
    places = list(PLACEHOLDER.finditer(template))
    kind = f"arn:${{Partition}}:{PLACEHOLDER.sub('*', template)}"
    suffix = template[places[-1].end() :] if places else ""
    for values in itertools.product(*(_values(place, parameters) for place in places)):
        text, end, own_kind = "arn:${Partition}:", 0, kind
        for place, value in zip(places, values, strict=True):
            before, end = template[end : place.start()], place.end()
            arn = None if value is UNKNOWN else _ARN.fullmatch(value)
            if arn is None:
                text += before + ("*" if value is UNKNOWN else escaped(value))
            elif _fits(value, template[:end]):
                # With it come the account and the region, which need not be those of the call.
                text = escaped(value.removesuffix(suffix))
                own_kind = ":".join([*value.split(":")[:5], kind.split(":", 5)[5]])
                if suffix and place is places[-1]:
                    yield Resource(text, own_kind)
            else:
                text += f"{before}*"
                if place is places[-1]:
                    if any(_fits(value, other[: last.end()]) for other in templates if (last := _last(other))):
                        break  # it is of another type
                    if template.startswith(f"{arn['service']}:"):
                        # It can be another name of what is asked for, like an alias: the service may look at both.
                        yield Resource(escaped(value), escaped(value))
        else:
            yield Resource(text + template[end:], own_kind)


def _last(template: str) -> re.Match[str] | None:
    return next(reversed(list(PLACEHOLDER.finditer(template))), None)


def _fits(arn: str, template: str) -> bool:
    """Whether a template can become an ARN."""
    parts = re.split(r"(\$\{\w+\}|\*)", f"arn:${{Partition}}:{PLACEHOLDER.sub('*', template)}")
    pattern = "".join(".+" if part == "*" else "[^:]*" if part.startswith("${") else re.escape(part) for part in parts)
    return re.fullmatch(pattern, arn, re.DOTALL) is not None


def _values(place: re.Match[str], parameters: Mapping[str, Any]) -> list[Any]:
    """Return what a parameter has for a place, texts or `UNKNOWN`: several of a list, none of another kind."""
    found = parameters.get(place["parameter"], UNKNOWN)
    if found is not UNKNOWN and place["path"] != place["parameter"]:
        try:
            found = jmespath.search(place["path"], parameters)
        except JMESPathError:  # it is not what the operation takes
            found = UNKNOWN
    values = found if isinstance(found, list | tuple) else [found]
    texts = [str(value) if isinstance(value, str | int) else UNKNOWN for value in values]
    form = _FORMS[place["form"]] if place["form"] else str
    return [formed for text in texts if (formed := form(text) if isinstance(text, str) else text) is not None]


def _bucket(text: str) -> Any:
    """A bucket; that of an access point is not known."""
    return UNKNOWN if text.startswith("arn:") or text.endswith("-s3alias") else text


def _access_point(text: str) -> Any:
    found = _ACCESS_POINT.fullmatch(text)
    return found["name"] if found else UNKNOWN if _bucket(text) is UNKNOWN else None


def _of_queue(part: str) -> Callable[[str], Any]:
    return lambda text: found[part] if (found := _QUEUE.fullmatch(text)) else UNKNOWN


# How values are read: the text that stands in an ARN, `UNKNOWN`, or None if the template is not for such a value.
_FORMS: Mapping[str, Callable[[str], Any]] = {
    # Only an ARN is of use: the value is no part of one.
    "arn": lambda text: text if _ARN.fullmatch(text) else UNKNOWN,
    # A parameter's name, without the slash that ARNs have anyway, and without a version.
    "path": lambda text: text if text.startswith("arn:") else text.removeprefix("/").partition(":")[0],
    "folder": lambda text: text.strip("/") or UNKNOWN,
    "last": lambda text: text.rpartition("/")[2],
    # A function's name, also as the end of an ARN that begins with the account.
    "function": lambda text: text if text.startswith("arn:") else text.rpartition("function:")[2],
    # An ID: another name that is taken for it does not say which ID it is.
    "id": lambda text: UNKNOWN if text.startswith(("alias/", "externalId:")) else text,
    # A name that the service stores in lower case.
    "lower": lambda text: text if text == text.lower() else UNKNOWN,
    "bucket": _bucket,
    "point": _access_point,
    "queue": _of_queue("name"),
    "account": _of_queue("account"),
}
