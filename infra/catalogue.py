"""Reads ``crawls.yaml``, and reports each problem with its line number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from pageturner.crawls.catalogue import parse_catalogue
from pageturner.crawls.crawl import Crawl
from pageturner.errors import InvalidCrawlError


class _Loader(yaml.SafeLoader):
    """YAML with the types of JSON: a date stays text, because APIs take times as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_catalogue(path: Path) -> dict[str, Crawl]:
    """Return the crawls of the catalogue by name.

    Raises `InvalidCrawlError`, each line of which begins with file name and line number, or `OSError`,
    `UnicodeDecodeError` or `yaml.YAMLError` if the file cannot be read.
    """
    loader = _Loader(path.read_text(encoding="utf-8"))
    loader.name = path.name  # for the messages about its syntax
    try:
        root = loader.get_single_node()
        twice = list(_keys_that_come_twice(root))
        if twice:
            lines = (f"{path.name}:{node.start_mark.line + 1}: {node.value}: duplicate key" for node in twice)
            raise InvalidCrawlError("\n".join(lines))
        document = None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()
    try:
        return parse_catalogue(document)
    except InvalidCrawlError as error:
        located = (f"{path.name}:{_line(root, line)}: {line}" for line in str(error).splitlines())
        raise InvalidCrawlError("\n".join(located)) from error


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


def _keys_that_come_twice(node: Node | None) -> Iterator[Any]:
    """Yield duplicate keys: YAML would take the last one, and nobody would notice that a crawl is missing."""
    if isinstance(node, MappingNode):
        seen = set()
        for key, value in node.value:
            if str(key.value) in seen:
                yield key
            seen.add(str(key.value))
            yield from _keys_that_come_twice(value)
    elif isinstance(node, SequenceNode):
        for element in node.value:
            yield from _keys_that_come_twice(element)
