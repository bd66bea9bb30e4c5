"""Receivers that are configured, the warning when there is none, routes, and inhibition of consequences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from services.monitoring.tests.programs import MONITORING, run_in
from services.monitoring.tests.test_rules import ALERTS
from testing.monitoring.alerting import new_secrets

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

START = "/etc/alertmanager/start.sh"
INTEGRATIONS = {"alert_webhook": "webhook", "alert_slack": "slack", "alert_discord": "discord"}
MAIL = {
    "ALERT_EMAIL_TO": "you@example.org",
    "ALERT_EMAIL_FROM": "archive@example.org",
    "ALERT_SMTP_HOST": "mail.example.org:587",
}
CONFIG = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text("utf-8"))


@pytest.fixture
def secrets(engine: None, tmp_path: Path) -> Path:  # noqa: ARG001
    """Make the secrets as `make secrets` does: every address is empty."""
    folder = tmp_path / "secrets"
    new_secrets(folder)
    return folder


def _fill(secrets: Path, *names: str) -> None:
    for name in names:
        (secrets / name).write_text(f"https://{name}.example.org/secret\n", encoding="utf-8")


def _shell(secrets: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_in("ALERTMANAGER_IMAGE", "/bin/sh", "-ec", script, env=env, secrets=secrets)


def _rendered(secrets: Path, **env: str) -> dict[str, set[str]]:
    """Return the integrations of each receiver, after amtool has accepted the configuration."""
    done = _shell(secrets, f"sh {START} render >/tmp/a.yml; amtool check-config /tmp/a.yml >&2", **env)
    assert done.returncode == 0, done.stdout
    done = _shell(secrets, f"sh {START} render", **env)
    receivers = yaml.safe_load(done.stdout)["receivers"]
    return {
        one["name"]: {key.removesuffix("_configs") for key in one if key.endswith("_configs")}
        for one in receivers
    }


def test_without_an_address_nothing_is_sent_and_the_start_warns(secrets: Path) -> None:
    assert _rendered(secrets) == {"critical": set(), "warning": set(), "watchdog": set()}
    done = _shell(secrets, f"exec sh {START} --version")
    assert done.returncode == 0, done.stdout
    assert "WARNING: NO ALERT IS SENT" in done.stdout
    assert "WARNING: NO DEAD MAN'S SWITCH" in done.stdout


@pytest.mark.parametrize("secret", INTEGRATIONS)
def test_one_secret_configures_one_integration(secrets: Path, secret: str) -> None:
    _fill(secrets, secret)
    assert _rendered(secrets) == {
        "critical": {INTEGRATIONS[secret]},
        "warning": {INTEGRATIONS[secret]},
        "watchdog": set(),
    }


def test_every_integration_at_once(secrets: Path) -> None:
    _fill(secrets, *INTEGRATIONS, "alert_watchdog")
    (secrets / "alert_smtp_password").write_text("a password\n", encoding="utf-8")
    integrations = {*INTEGRATIONS.values(), "email"}
    assert _rendered(secrets, **MAIL) == {
        "critical": integrations,
        "warning": integrations,
        "watchdog": {"webhook"},
    }
    done = _shell(secrets, f"exec sh {START} --version", **MAIL)
    assert "alerts are sent by webhook slack discord email" in done.stdout
    assert "WARNING" not in done.stdout


def test_the_configuration_contains_no_secret(secrets: Path) -> None:
    _fill(secrets, *INTEGRATIONS, "alert_watchdog")
    (secrets / "alert_smtp_password").write_text("a password\n", encoding="utf-8")
    shown = _shell(secrets, f"sh {START} render", **MAIL).stdout
    for name in new_secrets(secrets):
        assert f"/run/secrets/{name}" in shown
        assert (secrets / name).read_text("utf-8").strip() not in shown


@pytest.mark.parametrize(
    ("content", "env", "complaint"),
    [
        ("changeme", {}, "alert_webhook is no http address"),
        ("", {"ALERT_EMAIL_TO": "you@example.org"}, "needs ALERT_EMAIL_FROM"),
        ("", {**MAIL, "ALERT_SMTP_HOST": "mail.example.org"}, "needs ALERT_SMTP_HOST"),
        ("", {**MAIL, "ALERT_SMTP_TLS": "maybe"}, "ALERT_SMTP_TLS"),
        ("", {**MAIL, "ALERT_EMAIL_TO": "you'}"}, "must not contain quotes"),
    ],
)
def test_an_unusable_setting_stops_the_start(
    secrets: Path, content: str, env: dict[str, str], complaint: str
) -> None:
    (secrets / "alert_webhook").write_text(content, encoding="utf-8")
    done = _shell(secrets, f"exec sh {START} --version", **env)
    assert done.returncode != 0
    assert complaint in done.stdout


def test_each_alert_has_its_receiver(secrets: Path) -> None:
    calls = [
        f"amtool config routes test --config.file=/tmp/a.yml --verify.receivers={receiver} {labels}"
        for receiver, labels in [
            *{
                (
                    alert.rule["labels"]["severity"],
                    f"alertname={alert.name} severity={alert.rule['labels']['severity']}",
                )
                for alert in ALERTS
                if alert.name != "Watchdog"
            },
            ("watchdog", "alertname=Watchdog severity=none"),
            ("warning", "alertname=Unknown"),
        ]
    ]
    done = _shell(secrets, f"sh {START} render >/tmp/a.yml\n" + "\n".join(calls))
    assert done.returncode == 0, done.stdout
    # amtool does fail for a wrong receiver.
    wrong = "amtool config routes test --config.file=/tmp/a.yml --verify.receivers=warning severity=critical"
    assert _shell(secrets, f"sh {START} render >/tmp/a.yml\n{wrong}").returncode != 0


def test_the_dead_mans_switch_is_called_every_five_minutes() -> None:
    (switch,) = (one for one in CONFIG["route"]["routes"] if one["receiver"] == "watchdog")
    assert (switch["group_wait"], switch["group_interval"], switch["repeat_interval"]) == ("0s", "1m", "5m")


def test_inhibited_alerts_exist_and_no_two_inhibit_each_other() -> None:
    known = {alert.name for alert in ALERTS}
    pairs = {
        (source, target)
        for rule in CONFIG["inhibit_rules"]
        for source in _named(rule["source_matchers"])
        for target in _named(rule["target_matchers"])
    }
    assert {name for pair in pairs for name in pair} <= known
    assert not {(source, target) for source, target in pairs if (target, source) in pairs}
    assert {target for source, target in pairs if source == "RedisDown"} >= {
        "IngesterDisconnected",
        "WriterStalled",
    }
    never = {
        "RedisDown",
        "IngesterDown",
        "WriterDown",
        "DiskLow",
        "GapRecorded",
        "UnaccountedEvents",
        "Watchdog",
    }
    assert not never & {target for _, target in pairs}


def _named(matchers: list[str]) -> list[str]:
    (found,) = (re.fullmatch(r'alertname=~?"([\w|]+)"', matcher) for matcher in matchers)
    assert found is not None
    return found[1].split("|")
