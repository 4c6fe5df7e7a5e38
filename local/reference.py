"""Writes the keys of a crawl from the schema into docs/reference.md: `make reference`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pageturner.crawls.checks import KEYS

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.md"
_BEGIN = "<!-- the keys of a crawl: written by make reference from crawls.schema.json -->"
_END = "<!-- end of the keys -->"


def keys() -> str:
    """Return the section about the keys, as Markdown."""
    return "\n".join([_BEGIN, *(_key(name, key) for name, key in KEYS.items()), "", _END])


def with_keys(text: str) -> str:
    """Return a text with its section about the keys replaced."""
    before, _, rest = text.partition(_BEGIN)
    return before + keys() + rest.partition(_END)[2]


def _key(name: str, key: Any) -> str:
    value = yaml.safe_dump(key["examples"][0], default_flow_style=True, sort_keys=False, width=200, allow_unicode=True)
    must_be = key["errorMessage"].removeprefix("must")
    default = f" Default: `{json.dumps(key['default'], ensure_ascii=False)}`." if "default" in key else ""
    example = f"{name}: {value.strip().removesuffix('...').strip()}"
    return f"\n### `{name}`\n\n{key['description']} Must{must_be}.{default}\n\n```yaml\n{example}\n```"


if __name__ == "__main__":
    REFERENCE.write_text(with_keys(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
