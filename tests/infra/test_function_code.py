"""What the assets of the functions contain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra import function_code
from infra.function_code import LAMBDAS
from tests.infra.conftest import Synth


class Pip:
    """Stands for pip: keeps its command."""

    returncode = 0
    stdout = "a page of warnings"

    def __init__(self) -> None:
        self.command: Sequence[str] = ()

    def run(self, command: Sequence[str], **_: Any) -> Pip:
        self.command = command
        return self


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr("infra.function_code.subprocess.run", pip.run)
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
    assert f"python{pip.command[pip.command.index('--python-version') + 1]}" == function_code.RUNTIME.name
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
    assert not list(tmp_path.rglob("__pycache__"))


def test_pip_says_nothing_unless_it_fails(pip: Pip, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle(tmp_path, publishing=True)
    assert capfd.readouterr() == ("", "")
    pip.returncode = 1
    with pytest.raises(
        SystemExit, match=r"a page of warnings\npip could not install lambdas/requirements.txt and lamb"
    ):
        bundle(tmp_path, publishing=True)


def bundle(folder: Path, *, publishing: bool, emulator: bool = False) -> None:
    bundling = function_code.bundling_of({}, publishing=publishing, emulator=emulator)
    assert bundling.try_bundle(str(folder))


def test_the_hash_of_an_asset_says_what_it_was_built_of(synth: Synth) -> None:
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
