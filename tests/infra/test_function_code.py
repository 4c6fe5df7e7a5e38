"""What the assets of the functions contain."""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import aws_cdk
import pytest
from aws_cdk.assertions import Annotations, Match

from infra import function_code, packages
from infra.function_code import LAMBDAS
from infra.pageturner_stack import PageturnerStack
from infra.settings import Settings
from tests.infra.conftest import Synth

_run = subprocess.run


class Pip:
    """Stands for pip: keeps its commands, and installs one module. Other commands run."""

    returncode = 0
    stdout = "a page of warnings"
    module = "installed = True"

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []

    @property
    def command(self) -> Sequence[str]:
        return self.commands[-1]

    def run(self, command: Sequence[str], **options: Any) -> Any:
        if "pip" not in command:
            return _run(command, **options)
        self.commands.append(command)
        target = Path(command[command.index("--target") + 1])
        (target / "installed.py").write_text(self.module, encoding="utf-8")
        return self


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Pip:
    pip = Pip()
    monkeypatch.setattr("infra.packages.subprocess.run", pip.run)
    monkeypatch.setattr("infra.packages.KEPT", tmp_path_factory.mktemp("environment") / "bundled")
    return pip


def requirements(command: Sequence[str]) -> list[str]:
    return [Path(each).name for each, flag in zip(command[1:], command, strict=False) if flag == "--requirement"]


def test_duckdb_is_only_where_it_is_needed(pip: Pip, tmp_path: Path) -> None:
    assert "duckdb" not in (LAMBDAS / "requirements.txt").read_text(encoding="utf-8")
    assert "duckdb==" in (LAMBDAS / "publish-requirements.txt").read_text(encoding="utf-8")
    bundle(tmp_path, publishing=False)
    assert requirements(pip.command) == ["requirements.txt"]
    assert "--platform" not in pip.command
    bundle(tmp_path, publishing=True)
    assert requirements(pip.command) == ["requirements.txt", "publish-requirements.txt"]


def test_binary_packages_are_those_of_the_functions_runtime_and_architecture(pip: Pip, tmp_path: Path) -> None:
    bundle(tmp_path, publishing=True)
    assert f"python{pip.command[pip.command.index('--python-version') + 1]}" == function_code.runtime().name
    platforms = [each for each, flag in zip(pip.command[1:], pip.command, strict=False) if flag == "--platform"]
    assert platforms
    assert all(platform.endswith("_aarch64") for platform in platforms)
    assert function_code.ARCHITECTURE.name == "arm64"
    bundle(tmp_path, publishing=True, emulator=True)
    assert "--platform" not in pip.command, "the emulator runs functions with this machine's Python"


def test_an_asset_has_the_functions_and_the_catalogue(pip: Pip, tmp_path: Path) -> None:
    bundle(tmp_path, publishing=True)
    assert (tmp_path / "catalogue.json").read_text(encoding="utf-8") == '{"crawls": {}}'
    for path in ("fetch_page.py", "bootstrap", "pageturner/crawls/crawls.schema.json"):
        assert (tmp_path / path).read_bytes() == (LAMBDAS / path).read_bytes()


def test_an_asset_has_the_bytecode_of_its_modules(pip: Pip, tmp_path: Path) -> None:
    bundle(tmp_path, publishing=True)
    sources = sorted(tmp_path.rglob("*.py"))
    assert len(sources) > 80
    for source in sources:
        bytecode = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        # PEP 552: the number of the bytecode; a hash of the source, which is not checked; the hash.
        assert bytecode[:4] == importlib.util.MAGIC_NUMBER
        assert bytecode[4:8] == b"\1\0\0\0"
        assert bytecode[8:16] == importlib.util.source_hash(source.read_bytes())
        names = {code.co_filename for code in codes(marshal.loads(bytecode[16:]))}  # noqa: S302 - just written
        assert names == {f"/var/task/{source.relative_to(tmp_path)}"}


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


# Runs in a fresh interpreter, with the packages of this one.
COMPILES_NOTHING = """
import importlib.machinery, sys
folder = sys.argv[1]
def source_to_code(self, data, path, **_):
    assert not path.startswith(folder), path
    return compile(data, path, "exec")
importlib.machinery.SourceFileLoader.source_to_code = source_to_code
sys.path.insert(0, folder)
import fetch_page
"""


def test_a_cold_start_compiles_nothing_even_if_sources_are_newer(pip: Pip, tmp_path: Path) -> None:
    bundle(tmp_path, publishing=False)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            os.utime(path, (4_000_000_000, 4_000_000_000))
    command = [sys.executable, "-I", "-B", "-c", COMPILES_NOTHING, str(tmp_path)]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_two_bundlings_give_the_same_bytes_and_one_install(pip: Pip, tmp_path: Path) -> None:
    bundling = function_code.bundling_of({}, publishing=True, emulator=False)

    def bundled(name: str) -> bytes:
        (tmp_path / name).mkdir()
        bundling.try_bundle(str(tmp_path / name))
        return (tmp_path / name / "asset.zip").read_bytes()

    found = bundled("one")
    assert found == bundled("another folder, elsewhere")
    assert len(pip.commands) == 1
    shutil.rmtree(packages.KEPT)
    assert found == bundled("after make clean")
    assert len(pip.commands) == 2


def test_nothing_is_kept_in_the_systems_python(pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.base_prefix", sys.prefix)
    bundle(tmp_path, publishing=False)
    assert (tmp_path / "installed.py").exists()
    assert not packages.KEPT.exists()


def test_what_is_kept_is_whole(pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_: Path, copy: Path) -> None:
        copy.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("infra.packages.shutil.copyfile", killed)
        with pytest.raises(KeyboardInterrupt):
            bundle(tmp_path, publishing=False)
    bundle(tmp_path, publishing=False)
    bundle(tmp_path, publishing=False)
    assert len(pip.commands) == 2
    assert (tmp_path / "installed.py").exists()


def test_a_module_that_cannot_be_compiled_is_said(pip: Pip, tmp_path: Path) -> None:
    pip.module = "def"
    with pytest.raises(SystemExit, match=r"(?s)installed\.py.*could not compile the functions' packages"):
        bundle(tmp_path, publishing=False)


def test_functions_run_on_the_python_that_synthesizes(synth: Synth) -> None:
    assert all(its.name == f"python{version}" for version, its in function_code._RUNTIMES.items())
    assert function_code.runtime().name == f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert runtimes(synth()) == {function_code.runtime().name}
    assert runtimes(synth(emulator="true")) == {"provided.al2023"}


def runtimes(template: Any) -> set[str]:
    functions = template.find_resources("AWS::Lambda::Function").values()
    return {each["Properties"]["Runtime"] for each in functions if "ITEMS_TABLE" in str(each)}


def test_a_python_that_lambda_does_not_have_is_said(
    synth: Synth, pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = function_code.bundling_of({}, publishing=False, emulator=False).digest()
    assert notices() == []
    monkeypatch.setattr("infra.function_code.THIS_PYTHON", "3.15")
    assert runtimes(synth()) == {"python3.14"}
    assert notices() == [
        "Lambda has no Python 3.15, which synthesizes: the functions run on 3.14, without bytecode, and start more "
        "slowly. To have them run on yours, take one of 3.11, 3.12, 3.13, 3.14: make clean, and then "
        "make deploy PYTHON=python3.14 [ack: pageturner:python]"
    ]
    assert notices(emulator="true") == [], "there, this Python runs them"
    bundle(tmp_path, publishing=True)
    assert pip.command[pip.command.index("--python-version") + 1] == "3.14"
    assert not list(tmp_path.rglob("__pycache__"))
    assert function_code.bundling_of({}, publishing=False, emulator=False).digest() != digest


def notices(**context: Any) -> list[Any]:
    app = aws_cdk.App(context={"aws:cdk:bundling-stacks": [], **context}, builtin_cloud_formation_validation=False)
    stack = PageturnerStack(app, Settings.from_context(app.node))
    return [each.entry.data for each in Annotations.from_stack(stack).find_info("*", Match.any_value())]


def test_pip_says_nothing_unless_it_fails(pip: Pip, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle(tmp_path, publishing=True)
    assert capfd.readouterr() == ("", "")
    pip.returncode = 1
    with pytest.raises(
        SystemExit, match=r"a page of warnings\npip could not install lambdas/requirements.txt and lamb"
    ):
        bundle(tmp_path, publishing=True, emulator=True)


def bundle(folder: Path, *, publishing: bool, emulator: bool = False) -> None:
    """Bundle an asset, and unpack it into a folder."""
    bundling = function_code.bundling_of({}, publishing=publishing, emulator=emulator)
    with tempfile.TemporaryDirectory() as bundled:
        assert bundling.try_bundle(bundled)
        (archive,) = Path(bundled).iterdir()
        shutil.unpack_archive(archive, folder)


def test_the_hash_of_an_asset_says_what_it_was_built_of(synth: Synth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the CDK would take the asset of the other."""

    def assets(**context: Any) -> tuple[str, str]:
        resources = synth(**context).to_json()["Resources"]
        keys = {
            each["Properties"]["Handler"]: each["Properties"]["Code"]["S3Key"]
            for each in resources.values()
            if each["Type"] == "AWS::Lambda::Function" and "Handler" in each["Properties"]
        }
        assert keys["publish_run.handler"] == keys["publish_part.handler"]
        return keys["fetch_page.handler"], keys["publish_run.handler"]

    base, publishing = assets()
    base_there, publishing_there = assets(emulator="true")
    assert base == base_there
    assert len({base, publishing, publishing_there}) == 3
    monkeypatch.setattr("importlib.util.MAGIC_NUMBER", b"1234")
    assert len({base, publishing, *assets()}) == 4
