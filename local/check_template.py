"""Synthesizes the stacks for AWS, and runs cfn-lint on the templates."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from local.cdk import CDK, cdk_environment
from local.emulator import PROJECT, environment_without_aws


def main() -> int:
    """Run both. Returns the exit code of the first that fails, or 0."""
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(prefix="pageturner-") as folder:
        assembly = str(Path(folder, "assembly"))
        # With the user's credentials, the CLI would call AWS to find their account.
        environment = {**cdk_environment(environment_without_aws()), "TMPDIR": folder}
        synth = [str(CDK), "synth", "--quiet", "--no-notices", "--output", assembly]
        code = subprocess.run(synth, cwd=PROJECT, env=environment, check=False).returncode
        if code:
            return code
        templates = [str(path) for path in Path(assembly).rglob("*.template.json")]
        return subprocess.run([str(tools / "cfn-lint"), "--", *templates], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
