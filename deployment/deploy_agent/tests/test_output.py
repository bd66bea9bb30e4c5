"""No secret in any log line; a line in the audit log and a metric for each order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.orders import Order
from deployment.deploy_agent.output import METRICS, audit, masked_output, publish, secret_values
from deployment.deploy_agent.release import Release

if TYPE_CHECKING:
    import pytest


def test_secrets_are_masked_anywhere_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "redis_writer").write_text("correct-horse\n")
    (tmp_path / "alert_webhook").write_text("https://hook.example.org/correct-horse\n")
    (tmp_path / "alert_slack").write_text("\n")
    output = masked_output(secret_values(tmp_path), 0.0)
    output("AUTH writer correct-horse\nsent https://hook.example.org/correct-horse twice")
    lines = [line.partition("s  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["AUTH writer ***", "sent *** twice"]


def test_a_host_without_secrets_has_nothing_to_mask(tmp_path: Path) -> None:
    assert secret_values(tmp_path / "none") == []


def test_every_order_is_a_line_of_the_audit_log(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for sha, result in (("a" * 40, "live"), ("b" * 40, "rolled back")):
        audit(layout, Order("deploy", sha), by="192.0.2.7", result=result, seconds=12.5)
    lines = [json.loads(line) for line in layout.audit.read_text("utf-8").splitlines()]
    assert [(line["verb"], line["sha"][0], line["result"]) for line in lines] == [
        ("deploy", "a", "live"),
        ("deploy", "b", "rolled back"),
    ]
    assert all(line["at"].endswith("Z") for line in lines)


def test_prometheus_parses_the_metric_of_the_live_release(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    publish(layout, Release(Path(), "c" * 40, 7, 100), 1_780_000_000.4)
    text = (layout.textfile / METRICS).read_text("utf-8")
    (family,) = text_string_to_metric_families(text)
    assert family.name == "archive_deploy_timestamp_seconds"
    assert [(one.labels, one.value) for one in family.samples] == [({"sha": "c" * 40}, 1_780_000_000)]
    assert list(layout.textfile.iterdir()) == [layout.textfile / METRICS]
