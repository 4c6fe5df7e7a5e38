"""A step of the set-up: ``python -m local.step TITLE COMMAND…`` runs the command and shows how it is getting on.

What the command prints, such as pip's pages of warnings, is shown only when it fails.
"""

from __future__ import annotations

import os
import sys
import tempfile

from local.command import CommandError, run
from local.progress import progress


def main() -> int:
    """Run the command that the arguments name. Returns its exit code."""
    title, *command = sys.argv[1:]
    try:
        # pip leaves temporary files when it is killed.
        with tempfile.TemporaryDirectory(prefix="pageturner-") as folder, progress(title) as line:
            run(command, line.show, env={**os.environ, "TMPDIR": folder})
            line.show("")
    except CommandError as error:
        print(error.output, file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
