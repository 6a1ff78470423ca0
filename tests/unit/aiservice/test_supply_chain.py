"""What `make supply-chain` says, and that it can find something."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit

SCRIPT = Path(__file__).parents[3] / "deploy" / "supply_chain.py"


@pytest.fixture
def supply_chain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("supply_chain", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_secret_in_the_tree_is_found(supply_chain, tmp_path, monkeypatch):
    key = "sk-ant-api03-" + "aZ9" * 30  # pragma: allowlist secret
    (tmp_path / "config.py").write_text(f'password = "{key}"\n')
    supply_chain.subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    supply_chain.subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    baseline = tmp_path / "baseline"
    baseline.write_bytes(supply_chain.BASELINE.read_bytes())
    monkeypatch.setattr(supply_chain, "ROOT", tmp_path)
    monkeypatch.setattr(supply_chain, "BASELINE", baseline)
    assert any("config.py" in found for found in supply_chain.secrets(tmp_path / "copy"))


def test_licence_that_reaches_who_serves_is_refused(supply_chain, tmp_path, monkeypatch):
    answer = (
        '[{"Name": "one", "License": "AGPLv3", "Version": "1"}, {"Name": "two", "License": "MIT"}]'
    )
    monkeypatch.setattr(
        supply_chain, "run", lambda *_: supply_chain.subprocess.CompletedProcess([], 0, answer)
    )
    assert supply_chain.licences(tmp_path / "licences.json") == ["one: AGPLv3"]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("", []),
        ('{"dependencies": [{"name": "a", "version": "1", "skip_reason": "not found"}]}', []),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}]}',
            ["a 1: CVE-1"],
        ),
    ],
)
def test_advisories_that_cannot_be_asked_are_said_not_to_be(
    supply_chain, monkeypatch, capsys, answer, found
):
    monkeypatch.setattr(
        supply_chain, "run", lambda *_: supply_chain.subprocess.CompletedProcess([], 0, answer)
    )
    assert supply_chain.audit() == found
    assert ("NOT audited" in capsys.readouterr().out) is not bool(found)
