"""Every rule is valid, tested and documented, and uses existing metrics; critical alerts are sent in time."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
import yaml

from services.monitoring.metric_checks import (
    PREFIX,
    metrics_in,
    own_metrics,
    recorded_names,
    rule_expressions,
)
from services.monitoring.tests.programs import MONITORING, run_in

PROMETHEUS = MONITORING / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "rules_test").glob("*.yml"))
STAGES = {"receive", "validate", "buffer", "claim", "encode", "commit", "host", "monitoring"}
WITHIN_A_MINUTE = {"RedisDown", "WriterDown", "IngesterDown", "IngesterDisconnected", "DiskLow"}
A_MINUTE = 60
FIRES_BY_ITSELF = {"Watchdog"}


class Alert(NamedTuple):
    """An alerting rule."""

    name: str
    stage: str
    rule: dict[str, Any]


def _groups() -> list[tuple[str, dict[str, Any]]]:
    return [
        (group["name"], rule)
        for path in RULES
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


ALERTS = [Alert(rule["alert"], stage, rule) for stage, rule in _groups() if "alert" in rule]
every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def test_every_expression_uses_metrics_that_exist() -> None:
    known = own_metrics() | recorded_names()
    used = {one.place: metrics_in(one.promql) for one in rule_expressions()}
    assert len(used) == len(_groups())
    unknown = {
        place: name
        for place, metrics in used.items()
        for name in metrics
        if name.startswith((PREFIX, "archive:")) and name not in known
    }
    assert not unknown


@every_alert
def test_an_alert_has_its_labels_and_annotations(alert: Alert) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", alert.name)
    labels, annotations = alert.rule["labels"], alert.rule["annotations"]
    assert labels["severity"] in {"critical", "warning", "none"}
    assert labels["stage"] == alert.stage
    assert alert.stage in STAGES
    assert annotations["summary"]
    assert annotations["description"].endswith(".")
    assert annotations["runbook_url"] == "{{ $externalLabels.runbook }}#" + alert.name.lower()


@every_alert
def test_an_alert_has_its_chapter_in_the_runbook(alert: Alert) -> None:
    text = (MONITORING / "runbook.md").read_text("utf-8")
    chapters = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert alert.name in chapters
    for part in ("**Meaning**", "**Diagnosis**", "**Remedy**"):
        assert part in chapters[alert.name], part
    assert set(chapters) == {one.name for one in ALERTS}


@every_alert
def test_an_alert_has_a_test_that_fires_and_one_that_does_not(alert: Alert) -> None:
    expected = [
        (sample["expr"], bool(sample["exp_samples"]))
        for path in TESTS
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]
        for sample in case["promql_expr_test"]
    ]
    about = {fires for expr, fires in expected if f'alertname="{alert.name}", alertstate="firing"' in expr}
    assert about == ({True} if alert.name in FIRES_BY_ITSELF else {True, False})


@every_alert
def test_an_alert_is_sent_within_a_minute_or_documents_its_delay(alert: Alert) -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["global"]
    scrape, timeout, evaluation = (
        _seconds(config[name]) for name in ("scrape_interval", "scrape_timeout", "evaluation_interval")
    )
    route = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text("utf-8"))["route"]
    (critical,) = (one for one in route["routes"] if one["matchers"] == ['severity="critical"'])
    pending = _seconds(alert.rule.get("for", "0s"))
    rounded = -(-pending // evaluation) * evaluation
    takes = scrape + timeout + evaluation + rounded + _seconds(critical["group_wait"])
    if alert.name in WITHIN_A_MINUTE:
        assert alert.rule["labels"]["severity"] == "critical"
        assert takes < A_MINUTE
    elif takes >= A_MINUTE:
        text = alert.rule["annotations"]["description"]
        assert re.search(r"\bFires\s(after|at)\b", text), f"{alert.name} takes {takes} s or more"


def test_alerts_within_a_minute_exist() -> None:
    assert {alert.name for alert in ALERTS} >= WITHIN_A_MINUTE
    assert len({alert.name for alert in ALERTS}) == len(ALERTS)


def test_promtool_accepts_the_configuration_and_the_rules(engine: None) -> None:  # noqa: ARG001
    done = run_in(
        "PROMETHEUS_IMAGE",
        "promtool",
        "check",
        "config",
        "--lint=all",
        "--lint-fatal",
        "/etc/prometheus/prometheus.yml",
        env={"RUNBOOK_URL": "http://127.0.0.1/runbook.md"},
    )
    assert done.returncode == 0, done.stdout
    for path in RULES:
        assert f"Checking /etc/prometheus/rules/{path.name}" in done.stdout


def test_the_tests_of_the_rules_pass(engine: None) -> None:  # noqa: ARG001
    assert {path.name for path in TESTS} == {path.name for path in RULES}
    words = [f"/etc/prometheus/rules_test/{path.name}" for path in TESTS]
    done = run_in("PROMETHEUS_IMAGE", "promtool", "test", "rules", *words)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("SUCCESS") == len(TESTS)
