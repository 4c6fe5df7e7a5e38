"""Writes the keys of a crawl, and who else counts a listing, into docs/reference.md: `make reference`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pageturner.crawls.checks import KEYS
from pageturner.crawls.iam_actions import iam_action
from pageturner.paging.witnesses import Witness, witnessed

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.md"
_BEGIN = "<!-- the keys of a crawl: written by make reference from crawls.schema.json -->"
_END = "<!-- end of the keys -->"
_BEGIN_WITNESSES = "<!-- who else counts: written by make reference from paging/witnesses.py -->"
_END_WITNESSES = "<!-- end of who else counts -->"


def keys() -> str:
    """Return the section about the keys, as Markdown."""
    return "\n".join([_BEGIN, *(_key(name, key) for name, key in KEYS.items()), "", _END])


def witnesses() -> str:
    """Return the table of who else counts a listing, as Markdown."""
    head = [
        "| the listing | with no parameters but | is counted by | lag | source |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = (_witness(*listing, witness) for listing, witness in sorted(witnessed().items()))
    return "\n".join([_BEGIN_WITNESSES, "", *head, *rows, "", _END_WITNESSES])


def written(text: str) -> str:
    """Return the text of the reference with its generated sections replaced."""
    before, _, rest = text.partition(_BEGIN)
    text = before + keys() + rest.partition(_END)[2]
    before, _, rest = text.partition(_BEGIN_WITNESSES)
    return before + witnesses() + rest.partition(_END_WITNESSES)[2]


def _witness(service: str, operation: str, witness: Witness) -> str:
    required = [f"`{name}`" if value is None else f"`{name}: {value}`" for name, value in witness.required.items()]
    parameters = ", ".join([*required, *(f"`{name}`" for name in witness.allowed)])
    who = f"{witness.who}, `{iam_action(witness.service, witness.operation)}`"
    more = f", with {witness.more}" if witness.more else ""
    lag = f"up to {witness.lag_hours:g} hours" if witness.lag_hours else "about right" if witness.about else ""
    return f"| {service} {operation} | {parameters} | {who}{more} | {lag} | {witness.source} |"


def _key(name: str, key: Any) -> str:
    value = yaml.safe_dump(key["examples"][0], default_flow_style=True, sort_keys=False, width=200, allow_unicode=True)
    must_be = key["errorMessage"].removeprefix("must")
    default = f" Default: `{json.dumps(key['default'], ensure_ascii=False)}`." if "default" in key else ""
    example = f"{name}: {value.strip().removesuffix('...').strip()}"
    return f"\n### `{name}`\n\n{key['description']} Must{must_be}.{default}\n\n```yaml\n{example}\n```"


if __name__ == "__main__":
    REFERENCE.write_text(written(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")
