"""``python -m pageturner_cli`` is the command ``pageturner``."""

from __future__ import annotations

import sys

from pageturner_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
