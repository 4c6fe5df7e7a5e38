"""The asset that all functions share, and how it is bundled."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from pageturner.crawls.crawl import Crawl

LAMBDAS = Path(__file__).parent.parent / "lambdas"
RUNTIME = lambda_.Runtime.PYTHON_3_13


def function_code(crawls: Mapping[str, Crawl]) -> lambda_.Code:
    """The asset: ``lambdas/``, the packages that it needs, and the catalogue."""
    catalogue = json.dumps({"crawls": {name: _entry(crawl) for name, crawl in crawls.items()}}, sort_keys=True)
    return lambda_.Code.from_asset(
        str(LAMBDAS),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=_digest(catalogue),
        bundling=BundlingOptions(image=RUNTIME.bundling_image, local=_LocalBundling(catalogue)),
    )


def _entry(crawl: Crawl) -> dict[str, object]:
    return {key: value for key, value in crawl.as_dict().items() if key != "name"}


def _digest(catalogue: str) -> str:
    """Return the hash of everything in the asset. The CDK bundles only if it does not have an asset of this hash."""
    digest = hashlib.sha256(catalogue.encode())
    for path in _sources():
        digest.update(f"{path.relative_to(LAMBDAS)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _sources() -> list[Path]:
    return sorted(path for path in LAMBDAS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """Bundles without Docker: all packages are pure Python, so the pip of any machine can install them."""

    def __init__(self, catalogue: str) -> None:
        self._catalogue = catalogue

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        target = Path(output_dir)
        requirements = str(LAMBDAS / "requirements.txt")
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
        command += ["--no-deps", "--target", output_dir, "--requirement", requirements]
        pip = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if pip.returncode:
            # Shown only now: on some machines pip prints pages of warnings. An exception would come back from jsii
            # as a stack trace without its message.
            sys.exit(f"{pip.stdout}\npip could not install lambdas/requirements.txt: see above")
        shutil.rmtree(target / "bin", ignore_errors=True)
        for path in _sources():
            copy = target / path.relative_to(LAMBDAS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        (target / "catalogue.json").write_text(self._catalogue, encoding="utf-8")
        return True
