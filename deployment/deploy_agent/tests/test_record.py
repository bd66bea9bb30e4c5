"""What is left of an order."""

from __future__ import annotations

import json
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.order import Order
from deployment.deploy_agent.record import METRICS, audit, publish
from deployment.deploy_agent.release import Release


def test_every_order_is_a_line(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    for sha, result in (("a" * 40, "live"), ("b" * 40, "rolled back")):
        audit(layout, Order("deploy", sha), by="192.0.2.7", result=result, seconds=12.5)
    lines = [json.loads(line) for line in layout.audit.read_text("utf-8").splitlines()]
    assert [(line["verb"], line["sha"][0], line["result"]) for line in lines] == [
        ("deploy", "a", "live"),
        ("deploy", "b", "rolled back"),
    ]
    assert all(line["at"].endswith("Z") for line in lines)


def test_prometheus_can_read_since_when_a_release_is_live(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    publish(layout, Release(Path(), "c" * 40, 7, 100), 1_780_000_000.4)
    text = (layout.textfile / METRICS).read_text("utf-8")
    (family,) = text_string_to_metric_families(text)
    assert family.name == "archive_deploy_timestamp_seconds"
    assert [(one.labels, one.value) for one in family.samples] == [({"sha": "c" * 40}, 1_780_000_000)]
    assert list(layout.textfile.iterdir()) == [layout.textfile / METRICS]
