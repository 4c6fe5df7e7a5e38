"""Writes how parameters name resources into lambdas/pageturner/crawls/resources.txt: `make read-operations`.

The Service Authorization Reference says which types of resources an action is granted on, and how their ARNs are made.
It does not say which parameter is which part of an ARN: their names do, and botocore's documentation of a parameter.
Where they do not, the action is granted on ``*``: a grant that is too narrow would deny what a crawl is to read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from local.iam_types import Type, types_of
from local.resource_exceptions import ELSEWHERE, changed, exception
from pageturner.crawls.iam_actions import iam_action
from pageturner.crawls.read_only import refusal
from pageturner.crawls.resources import PLACEHOLDER
from pageturner.paging import api

RESOURCES = Path(__file__).parent.parent / "lambdas" / "pageturner" / "crawls" / "resources.txt"
_KINDS = ("identifiers", "identifier", "arns", "arn", "names", "name", "ids", "id")
_NO_KINDS = ("grid", "bid", "paid", "valid", "void")
_VERB = re.compile("^(batch_)?[a-z0-9]+_")


def lines() -> str:
    """Return the file: for each service and those of its operations that have the same templates, a line."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for service in api.service_names():
        for operation in api.operation_names(service):
            if refusal(service, operation) is None and (made := templates(service, operation)):
                found[service, made].append(operation)
    return "".join(
        f"{service} {' '.join(operations)} = {' '.join(made)}\n" for (service, made), operations in found.items()
    )


def templates(service: str, operation: str) -> tuple[str, ...]:
    """Return the templates of an operation's ARNs; none if its action is granted on ``*``."""
    made = exception(service, operation)
    elsewhere = ELSEWHERE.get(service, ())
    if made is None:
        by_name = [each for each in _templates(service, operation) if not _mentions(each, elsewhere)]
        # What is before a variable is often part of the value: `ou-` of an organizational unit.
        by_name = [re.sub(r"(?<=[/:])[a-z]+-(?=\{)", "", each) for each in by_name]
        made = tuple(dict.fromkeys(new for each in by_name for new in changed(service, each)))
        if not any(PLACEHOLDER.search(each) for each in made):
            return ()
    shape = api.operation_model(service, operation).input_shape
    there = [name for name in (shape.members if shape else ()) if name in elsewhere]
    return (*made, *(f"*{{{name}}}" for name in there)) if made else ()


def _mentions(template: str, names: Iterable[str]) -> bool:
    return any(place["parameter"] in names for place in PLACEHOLDER.finditer(template))


def _templates(service: str, operation: str) -> Iterator[str]:
    shape = api.operation_model(service, operation).input_shape
    types = types_of(iam_action(service, operation))
    if shape is None or not types or any(each.arn.startswith("$") for each in types):
        return
    if api.is_global(service, "aws") or api.one_region_of(service, "aws"):
        types = tuple(replace(each, arn=each.arn.replace("${Region}", "*")) for each in types)
    if len(types) > 1 and (any_arn := _any_arn(shape)):
        yield from sorted({f"{':'.join(each.arn.split(':')[:3])}:{{{any_arn}:arn}}" for each in types})
        return
    required = [each for each in types if each.is_required]
    named = {each: _named(each, operation, shape, is_only=len(types) == 1) for each in types}
    surely = [each for each in types if any(_is_in(made, shape.required_members) for made in named[each])]
    if len(types) == 1:
        yield from named[types[0]] or _of_an_arn(types[0], shape)
    elif set(required) & set(surely):
        for each in types:
            if each in surely or not each.is_required:
                yield from named[each]
            else:
                # It is looked at, too; nothing says for sure which it is.
                yield each.with_values(_values(each, operation, shape, shape.required_members, is_only=False)[0])
    elif not required and len(surely) == len(types):
        for each in types:
            yield from named[each]


def _named(of: Type, operation: str, shape: Any, *, is_only: bool) -> list[str]:
    """Return the templates of a type with parameters in them: several if there are several to name it by."""
    made = [of.with_values(values) for values in _values(of, operation, shape, list(shape.members), is_only=is_only)]
    return [each for each in made if PLACEHOLDER.search(each)]


def _of_an_arn(of: Type, shape: Any) -> Iterator[str]:
    """Yield the template of an action's only type where its ARN is the only one, and called somewhat otherwise."""
    arns = [name for name in shape.required_members if _split(name)[1] == "arn"]
    last_word = _plain(re.split("[^a-zA-Z]", of.name)[-1])
    if len(arns) == 1 and of.variables and _split(arns[0])[0].endswith(last_word):
        yield of.with_values([*["*"] * (len(of.variables) - 1), f"{{{arns[0]}:arn}}"])


def _is_in(template: str, members: list[str]) -> bool:
    return [each["parameter"] for each in PLACEHOLDER.finditer(template)][-1] in members


def _values(of: Type, operation: str, shape: Any, members: list[str], *, is_only: bool) -> list[list[str]]:
    """Return what can stand in a type's ARN for its variables: placeholders of these parameters, or ``*``."""
    found: list[list[str]] = [[]]
    last = len(of.variables) - 1
    for number, variable in enumerate(of.variables):
        # What is named already is named by that; what else is in its ARN, a crawl cannot say.
        used = {place["parameter"] for place in PLACEHOLDER.finditer("".join(found[0]))}
        about_it = is_only or _noun(operation) == _plain(of.name).removesuffix("s")
        fitting = [
            name
            for name in members
            if name not in used and _is(name, variable, of, is_last=number == last, about_it=about_it)
        ]
        fitting = [name for name in fitting if name in shape.required_members][:1] or fitting
        places = [_placeholder(name, variable, shape, is_alone=last == 0) for name in fitting]
        exact = [each for each, name in zip(places, fitting, strict=True) if each == f"{{{name}}}"]
        # A name says nothing more where the ID is given, too.
        arns = [each for each, name in zip(places, fitting, strict=True) if _split(name)[1] == "arn"]
        places = [*exact, *arns] or places
        found = [[*before, place] for before in found for place in (places[: None if number == last else 1] or ["*"])]
    return found


def _is(name: str, variable: str, of: Type, *, is_last: bool, about_it: bool) -> bool:
    """Whether a parameter is what a variable of a type's ARN is, by their names."""
    own, stem, kind = _split(name)[0], _split(variable)[0], _plain(of.name).removesuffix("s")
    if own in ("", "resource"):
        return about_it and (is_last or (own == stem and _split(name)[1] == _split(variable)[1]))
    return own == stem or (is_last and own == kind and stem != "resourcepath")


def _placeholder(name: str, variable: str, shape: Any, *, is_alone: bool) -> str:
    """A parameter's value stands in an ARN if it is what is there: a name for a name, an ID for an ID."""
    (own, own_kind), (_, kind) = _split(name), _split(variable)
    if own_kind in ("", "identifier"):
        says = re.sub("<[^>]+>", "", shape.members[name].documentation).lower()
        own_kind = "name" if kind == "id" and "name" in says else kind
    # A value of several types is none that stands in the ARN of each.
    has_type = {f"{name}Type", re.sub("(Id|Identifier|Name)s?$", "", name) + "Type"} & set(shape.members)
    is_same = own_kind == kind or (kind == "" and (own != "" or is_alone))
    return f"{{{name}}}" if is_same and own_kind != "arn" and not has_type else f"{{{name}:arn}}"


def _any_arn(shape: Any) -> str | None:
    """The required parameter that is the ARN of any resource."""
    for name in shape.required_members:
        stem, kind = _split(name)
        is_any = (stem == "resource" and kind in ("arn", "")) or (stem == "" and kind == "arn")
        if is_any and (kind == "arn" or "arn" in shape.members[name].documentation.lower()):
            return str(name)
    return None


def _split(name: str) -> tuple[str, str]:
    """What a parameter or a variable is about, and whether it is the ID, the name or the ARN of that."""
    text = _plain(name).removeprefix("db")
    for kind in _KINDS:
        if text.endswith(kind) and (text == kind or not text.endswith(_NO_KINDS)):
            return text.removesuffix(kind), kind.removesuffix("s")
    return text if text.endswith("ss") else text.removesuffix("s"), ""


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def _noun(operation: str) -> str:
    return _plain(_VERB.sub("", operation, count=1)).removesuffix("s")


if __name__ == "__main__":
    RESOURCES.write_text(lines(), encoding="utf-8")
