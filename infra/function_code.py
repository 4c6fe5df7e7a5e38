"""The assets that the functions share, and how they are bundled."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from pageturner.crawls.crawl import Crawl

LAMBDAS = Path(__file__).parent.parent / "lambdas"
RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
_REQUIREMENTS = "requirements.txt"
_PUBLISH_REQUIREMENTS = "publish-requirements.txt"
# Binary packages for RUNTIME and ARCHITECTURE. Amazon Linux 2023 has glibc 2.34, and pip wants each tag that may do.
_FOR_AWS = (
    *("--platform", "manylinux_2_28_aarch64", "--platform", "manylinux_2_27_aarch64"),
    *("--platform", "manylinux2014_aarch64", "--python-version", "3.13", "--implementation", "cp"),
    "--only-binary=:all:",
)


def function_code(crawls: Mapping[str, Crawl]) -> lambda_.Code:
    """The asset of most functions: ``lambdas/``, the packages that they need, and the catalogue."""
    return _code(bundling_of(crawls, publishing=False, emulator=False))


def publishing_code(crawls: Mapping[str, Crawl], *, emulator: bool) -> lambda_.Code:
    """The asset of the functions that publish: the same, and DuckDB. On the emulator, this machine's Python runs it."""
    return _code(bundling_of(crawls, publishing=True, emulator=emulator))


def bundling_of(crawls: Mapping[str, Crawl], *, publishing: bool, emulator: bool) -> LocalBundling:
    """What bundles an asset."""
    catalogue = json.dumps({"crawls": {name: _entry(crawl) for name, crawl in crawls.items()}}, sort_keys=True)
    if not publishing:
        return LocalBundling(catalogue, [_REQUIREMENTS], [])
    return LocalBundling(catalogue, [_REQUIREMENTS, _PUBLISH_REQUIREMENTS], [] if emulator else _FOR_AWS)


def _code(bundling: LocalBundling) -> lambda_.Code:
    return lambda_.Code.from_asset(
        str(LAMBDAS),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=bundling.digest(),
        bundling=BundlingOptions(image=RUNTIME.bundling_image, local=bundling),
    )


def _entry(crawl: Crawl) -> dict[str, object]:
    return {key: value for key, value in crawl.as_dict().items() if key != "name"}


def _sources() -> list[Path]:
    return sorted(path for path in LAMBDAS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


@jsii.implements(ILocalBundling)
class LocalBundling:
    """Bundles without Docker: packages are pure Python or have wheels, so the pip of any machine can install them."""

    def __init__(self, catalogue: str, requirements: Sequence[str], platform: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._requirements = requirements
        self._platform = platform

    def digest(self) -> str:
        """Return the hash of everything in the asset. The CDK bundles only if it has no asset of this hash."""
        digest = hashlib.sha256(self._catalogue.encode())
        if _PUBLISH_REQUIREMENTS in self._requirements:
            built_for = self._platform or (sysconfig.get_platform(), sys.implementation.cache_tag)
            digest.update(json.dumps([*self._requirements, *built_for]).encode())
        for path in _sources():
            digest.update(f"{path.relative_to(LAMBDAS)}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        target = Path(output_dir)
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
        command += ["--no-deps", "--target", output_dir, *self._platform]
        for name in self._requirements:
            command += ["--requirement", str(LAMBDAS / name)]
        pip = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if pip.returncode:
            # Shown only now: on some machines pip prints pages of warnings. An exception would come back from jsii
            # as a stack trace without its message.
            named = " and ".join(f"lambdas/{name}" for name in self._requirements)
            sys.exit(f"{pip.stdout}\npip could not install {named}: see above")
        shutil.rmtree(target / "bin", ignore_errors=True)
        for path in _sources():
            copy = target / path.relative_to(LAMBDAS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        (target / "catalogue.json").write_text(self._catalogue, encoding="utf-8")
        return True
