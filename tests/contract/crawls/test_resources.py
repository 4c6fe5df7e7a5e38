"""How parameters name resources, over all operations that can be crawled, held against AWS's own list of types."""

from __future__ import annotations

from local.resource_templates import RESOURCES, lines


def test_the_file_is_what_the_models_and_the_types_make_of_it() -> None:
    assert RESOURCES.read_text(encoding="utf-8") == lines(), "run make read-operations, and read the diff"
