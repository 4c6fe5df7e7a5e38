"""A page of HTML that needs nothing else: not the network, and no server.

What a run says is text in it, whatever it looks like: it stands in a block of JSON, which no script runs, and the
page's own script makes text nodes of it. The little that is in the HTML itself is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "pages"
_MARK = re.compile(r"%%(\w+)%%")
# What would end the block, or begin a comment in it (HTML Standard, "Restrictions for contents of script elements").
_ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}
_CONTROLS = {number: 0x2400 + number for number in range(32)} | {127: 0x2421}
DATA_BEGINS = '<script type="application/json" id="data">'
_DATA_ENDS = "</script>"
CONTENT_TYPE = "text/html; charset=utf-8"


def page_of(kind: str, texts: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """Return a page of a kind ("report", "index"), all ASCII; `texts` are those that are read without JavaScript.

    `data` is what its script shows. It is a line of its own.
    """
    style, script = _file("all.css") + _file(f"{kind}.css"), _file("all.js") + _file(f"{kind}.js")
    parts = {
        **{name: text_in_html(text) for name, text in texts.items()},
        "policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src {_hash(style)}; script-src {_hash(script)}"
        ),
        "style": style,
        "script": script,
        "data": f"{DATA_BEGINS}\n{json.dumps(data, separators=(',', ':')).translate(_ESCAPED)}\n{_DATA_ENDS}",
    }
    filled = _MARK.sub(lambda mark: parts[mark[1]], _file(f"{kind}.html"))
    return filled.encode("ascii", "xmlcharrefreplace").decode("ascii")


def data_in(lines: Iterator[str]) -> dict[str, Any] | None:
    """Return the data of a page, or None if it has none that can be read."""
    for line in lines:
        if line.strip() == DATA_BEGINS:
            try:
                found = json.loads(next(lines, ""))
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
    return None


def text_in_html(text: str) -> str:
    """Return a text as HTML. Control characters, which HTML cannot have, are shown as their pictures."""
    return html.escape(text.translate(_CONTROLS))


@cache
def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="ascii")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
