"""Reads ``crawls.yaml``, and reports each problem with its line number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pageturner.crawls.bounds import DEEPEST, MOST_VALUES
from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError
from pageturner.messages import in_lines, shortened

# The functions hold it in memory, and it is in the asset of each.
LARGEST_FILE = 4 * 2**20
# What YAML makes of JSON, and no more: neither bytes nor sets, which an API's parameters cannot have.
_TYPES = ("null", "bool", "int", "float", "str", "seq", "map")


class _Loader(yaml.SafeLoader):
    """YAML with the types of JSON: a date stays text, because APIs take times as text."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError) as error:  # "!!bool maybe", "!!int x", and a number of thousands of digits
            what = node.tag.rpartition(":")[2]
            raise ConstructorError(None, None, f"cannot be read as {what}", node.start_mark) from error


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _TYPES
}


def read_catalogue(path: Path) -> dict[str, Crawl]:
    """Return the crawls of the catalogue by name.

    Raises `InvalidCrawlError`, each line of which begins with file name and line number, or `OSError`,
    `UnicodeDecodeError` or `yaml.YAMLError` if the file cannot be read.
    """
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise InvalidCrawlError(f"{path.name}:1: the file has {size:,} bytes, and may have {LARGEST_FILE:,}")
    loader = _Loader(path.read_text(encoding="utf-8"))
    loader.name = path.name  # for the messages about its syntax
    try:
        root = loader.get_single_node()
        if wrong := in_lines(_wrong_nodes(root)):
            raise InvalidCrawlError("\n".join(f"{path.name}:{line}" for line in wrong.splitlines()))
        document = None if root is None else loader.construct_document(root)
    except RecursionError as error:
        raise InvalidCrawlError(f"{path.name}:1: is nested more than {DEEPEST} deep") from error
    finally:
        loader.dispose()
    try:
        return parse_catalogue(document)
    except InvalidCrawlError as error:
        located = (f"{path.name}:{_line(root, line)}: {line}" for line in str(error).splitlines())
        raise InvalidCrawlError("\n".join(located)) from error


def _wrong_nodes(root: Node | None) -> Iterator[str]:
    """Yield what is wrong with the file, however its aliases are followed: ``line: what``."""
    left: list[tuple[Node, int]] = [] if root is None else [(root, 1)]
    count = 0
    while left:
        node, depth = left.pop()
        count += 1
        line = node.start_mark.line + 1
        # An alias is what it stands for, each time; one that stands for a part of itself never ends.
        if depth > DEEPEST + 2:
            yield f"{line}: is nested more than {DEEPEST} deep"
            return
        if count > MOST_VALUES:
            yield f"{line}: has more than {MOST_VALUES:,} values, with those that its aliases stand for"
            return
        if isinstance(node, MappingNode):
            yield from _keys_that_come_twice(node)
            left.extend((value, depth + 1) for _, value in reversed(node.value))
        elif isinstance(node, SequenceNode):
            left.extend((element, depth + 1) for element in reversed(node.value))


def _keys_that_come_twice(node: MappingNode) -> Iterator[str]:
    """Yield duplicate keys: YAML would take the last one, and nobody would notice that a crawl is missing."""
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            yield f"{key.start_mark.line + 1}: a key is a list or a mapping; all keys must be text"
        elif key.value in seen:
            yield f"{key.start_mark.line + 1}: {shortened(key.value, 100)}: duplicate key"
        else:
            seen.add(key.value)


def _line(root: Node | None, message: str) -> int:
    """Return the line of the place that a message begins with, or of its deepest part that exists."""
    line, node, rest = 1, root, f".{message}"
    while isinstance(node, MappingNode):
        # A name can have dots, colons and spaces in it, if it is invalid.
        named = [entry for entry in node.value if re.match(rf"\.{re.escape(str(entry[0].value))}(?![\w-])", rest)]
        if not named:
            break
        key, node = max(named, key=lambda entry: len(entry[0].value))
        line, rest = key.start_mark.line + 1, rest[len(key.value) + 1 :]
    return line
