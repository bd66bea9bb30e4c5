"""No secret in any line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployment.deploy_agent.output import secret_values, speaker

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "redis_writer").write_text("correct-horse\n")
    (tmp_path / "alert_webhook").write_text("https://hook.example.org/correct-horse\n")
    (tmp_path / "alert_slack").write_text("\n")
    say = speaker(secret_values(tmp_path), 0.0)
    say("AUTH writer correct-horse\ntold https://hook.example.org/correct-horse twice")
    lines = [line.partition("s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["AUTH writer ***", "told *** twice"]


def test_a_host_without_secrets_has_nothing_to_mask(tmp_path: Path) -> None:
    assert secret_values(tmp_path / "none") == []
