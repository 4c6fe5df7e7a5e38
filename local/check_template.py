"""Synthesizes the stack as it is deployed to AWS, and has cfn-lint read the template."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from local.deployment import CDK
from local.emulator import PROJECT


def main() -> int:
    """Returns the exit code of the first of both that fails."""
    tools = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
    with tempfile.TemporaryDirectory(prefix="pageturner-") as folder:
        synth = [str(CDK), "synth", "--quiet", "--no-notices", "--output", folder]
        code = subprocess.run(synth, cwd=PROJECT, env=environment, check=False).returncode
        if code:
            return code
        # W3005: CDK itself adds DependsOn beside Ref.
        templates = [str(path) for path in Path(folder).glob("*.template.json")]
        return subprocess.run(
            [str(tools / "cfn-lint"), "--ignore-checks", "W3005", "--", *templates], cwd=PROJECT, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
