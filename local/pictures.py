"""Makes the pictures of docs/report.md: ``make pictures``, after a change of how reports look.

The runs are made here: what they say is what FinishRun says of such targets.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.browser import ARGUMENTS, NEEDED, browser
from pageturner.page_state import utc_text
from pageturner.report.index import index_of
from pageturner.report.runs import ShownRun, shown_of
from tests.browser.documents import CRAWL, DENIED, RUN, entry, report

IMAGES = Path(__file__).parent.parent / "docs" / "images"
