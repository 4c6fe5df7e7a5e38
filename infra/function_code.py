"""The assets that the functions share, and how they are bundled."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, BundlingOutput, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from infra.packages import add_folder, put_packages
from pageturner.crawls.crawl import Crawl

LAMBDAS = Path(__file__).parent.parent / "lambdas"
# Lambda's Pythons, the newest last.
_RUNTIMES = {
    "3.11": lambda_.Runtime.PYTHON_3_11,
    "3.12": lambda_.Runtime.PYTHON_3_12,
    "3.13": lambda_.Runtime.PYTHON_3_13,
    "3.14": lambda_.Runtime.PYTHON_3_14,
}
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = lambda_.Architecture.ARM_64
_REQUIREMENTS = "requirements.txt"
_PUBLISH_REQUIREMENTS = "publish-requirements.txt"
# Binary packages for ARCHITECTURE. Lambda runs Python 3.11 on Amazon Linux 2, which has glibc 2.26, and newer ones on
# Amazon Linux 2023, which has 2.34. pip wants each tag that may do.
_FOR_AWS = (
    *("--platform", "manylinux_2_26_aarch64", "--platform", "manylinux2014_aarch64"),
    *("--implementation", "cp"),
)


def runtime() -> lambda_.Runtime:
    """The runtime of the functions: the Python that synthesizes, so that what was tested runs, or Lambda's newest."""
    return _RUNTIMES[_python()]


def runtime_notice() -> str | None:
    """What to tell whoever synthesizes with a Python that Lambda does not have."""
    if _has_bytecode():
        return None
    return (
        f"Lambda has no Python {THIS_PYTHON}, which synthesizes: the functions run on {_python()}, without bytecode, "
        f"and start more slowly. To have them run on yours, take one of {', '.join(_RUNTIMES)}: make clean, and then "
        f"make deploy PYTHON=python{_python()}"
    )


def _python() -> str:
    return THIS_PYTHON if _has_bytecode() else list(_RUNTIMES)[-1]


def _has_bytecode() -> bool:
    return THIS_PYTHON in _RUNTIMES


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
    return LocalBundling(
        catalogue,
        [_REQUIREMENTS, _PUBLISH_REQUIREMENTS],
        [] if emulator else [*_FOR_AWS, "--python-version", _python()],
    )


def _code(bundling: LocalBundling) -> lambda_.Code:
    return lambda_.Code.from_asset(
        str(LAMBDAS),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=bundling.digest(),
        bundling=BundlingOptions(image=runtime().bundling_image, local=bundling, output_type=BundlingOutput.ARCHIVED),
    )


def _entry(crawl: Crawl) -> dict[str, object]:
    return {key: value for key, value in crawl.as_dict().items() if key != "name"}


def _sources() -> list[Path]:
    files = (path for path in LAMBDAS.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path for path in files if path.suffix != ".in")


@jsii.implements(ILocalBundling)
class LocalBundling:
    """Bundles without Docker: all packages have wheels, so the pip of any machine can install them."""

    def __init__(self, catalogue: str, requirements: Sequence[str], platform: Sequence[str]) -> None:
        self._catalogue = catalogue
        self._requirements = requirements
        self._platform = platform

    def digest(self) -> str:
        """Return the hash of everything in the asset. The CDK bundles only if it has no asset of this hash."""
        digest = hashlib.sha256(self._catalogue.encode())
        if _has_bytecode():
            # The number changes with whatever changes bytecode; Python refuses that of another.
            digest.update(importlib.util.MAGIC_NUMBER)
        if _PUBLISH_REQUIREMENTS in self._requirements:
            built_for = self._platform or (sysconfig.get_platform(), sys.implementation.cache_tag)
            digest.update(json.dumps([*self._requirements, *built_for]).encode())
        for path in _sources():
            digest.update(f"{path.relative_to(LAMBDAS)}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    def try_bundle(self, output_dir: str, *_: object, **__: object) -> bool:
        archive = Path(output_dir, "asset.zip")
        requirements = [LAMBDAS / name for name in self._requirements]
        put_packages(archive, requirements, self._platform, bytecode=_has_bytecode())
        with tempfile.TemporaryDirectory(dir=output_dir) as folder:
            for path in _sources():
                copy = Path(folder, path.relative_to(LAMBDAS))
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
            Path(folder, "catalogue.json").write_text(self._catalogue, encoding="utf-8")
            add_folder(archive, Path(folder), bytecode=_has_bytecode())
        return True
