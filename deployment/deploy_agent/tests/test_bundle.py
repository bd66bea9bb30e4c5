"""What containers mount is named by what it says; why a registry gives nothing is told with the mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deployment.deploy_agent.bundle import config_hash, why_not

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_files_have_the_same_name_and_others_another(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name / "monitoring").mkdir(parents=True)
        (tmp_path / name / "monitoring" / "rules.yml").write_text("up == 0")
    (tmp_path / "c" / "monitoring" / "rules.yml").write_text("up == 1")
    assert config_hash(tmp_path / "a") == config_hash(tmp_path / "b")
    assert config_hash(tmp_path / "a") != config_hash(tmp_path / "c")
    (tmp_path / "b" / "monitoring" / "rules.yml").chmod(0o600)
    assert config_hash(tmp_path / "a") != config_hash(tmp_path / "b")


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ("Error response from daemon: manifest unknown: manifest unknown", "let its build finish"),
        ("manifest for r/x not found: manifest unknown", "let its build finish"),
        ("unauthorized: authentication required", "sudo docker login"),
        ("denied: permission_denied: read_package", "sudo docker login"),
        ("dial tcp: lookup ghcr.io: no such host", "try again when it answers"),
        ("", "no reason given"),
    ],
)
def test_each_reason_has_its_mend(said: str, mend: str) -> None:
    sentence = why_not("r/x:1", said)
    assert "r/x:1" in sentence
    assert mend in sentence
    assert "\n" not in sentence
