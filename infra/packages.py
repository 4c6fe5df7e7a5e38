"""Zips of the functions: their packages, which are installed once in a virtual environment, and files beside them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

# `make clean` removes it with the virtual environment, as does a `make` that finds other requirements.
KEPT = Path(sys.prefix, "bundled")
# Where Lambda unpacks an asset.
_TASK_ROOT = "/var/task"


def put_packages(archive: Path, requirements: Sequence[Path], platform: Sequence[str], *, bytecode: bool) -> None:
    """Write a zip of the packages of requirements files, with bytecode if this Python is to run them.

    `platform` are pip's arguments. If pip cannot install the packages, says so, and exits.
    """
    kept = KEPT / f"{_digest(requirements, platform, bytecode=bytecode)}.zip"
    if kept.exists():
        shutil.copyfile(kept, archive)
        return
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        _install(Path(folder), requirements, platform)
        add_folder(archive, Path(folder), bytecode=bytecode)
    # The system's Python is not ours to write to, and a virtual environment may be someone else's.
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        KEPT.mkdir(exist_ok=True)
        # Under its name only when it is whole. Another process may write the same at the same time.
        new = kept.with_suffix(f".{os.getpid()}")
        shutil.copyfile(archive, new)
        new.replace(kept)


def add_folder(archive: Path, folder: Path, *, bytecode: bool) -> None:
    """Add the files of a folder to a zip, which need not exist. The same files give the same bytes."""
    if bytecode:
        _compile(folder)
    with ZipFile(archive, "a") as files:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            # ZipInfo's time is that of no file: the first of 1980.
            entry = ZipInfo(path.relative_to(folder).as_posix())
            entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            files.writestr(entry, path.read_bytes(), ZIP_DEFLATED)


def _digest(requirements: Sequence[Path], platform: Sequence[str], *, bytecode: bool) -> str:
    """Return the hash of all that the zip depends on, this file too."""
    python = (sysconfig.get_platform(), importlib.util.MAGIC_NUMBER.hex(), bytecode)
    digest = hashlib.sha256(json.dumps([*platform, *python]).encode())
    for path in (*requirements, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _install(target: Path, requirements: Sequence[Path], platform: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--target", str(target), *platform]
    for path in requirements:
        command += ["--requirement", str(path)]
    pip = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if pip.returncode:
        # Shown only now: on some machines pip prints pages of warnings. An exception would come back from jsii
        # as a stack trace without its message.
        named = " and ".join(f"lambdas/{path.name}" for path in requirements)
        sys.exit(f"{pip.stdout}\npip could not install {named}: see above")
    shutil.rmtree(target / "bin", ignore_errors=True)


def _compile(folder: Path) -> None:
    """Put the bytecode of all modules beside them: Lambda's folder is read-only, so every cold start would compile.

    Python takes it as it is (``unchecked-hash``), because unpacking changes the times of the sources. The same sources
    give the same bytes: a process of its own has no other strings to share, and a seed that is known.
    """
    command = [sys.executable, "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", _TASK_ROOT, str(folder)]
    environment = {"PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nPython could not compile the functions' packages: see above")
