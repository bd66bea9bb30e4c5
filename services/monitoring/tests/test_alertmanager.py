"""Who is told: by every way that is configured, by none loudly, and never of what follows from a cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from services.monitoring.tests.programs import MONITORING, run_in
from services.monitoring.tests.test_rules import ALERTS
from testing.monitoring.alerting import unheard

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

START = "/etc/alertmanager/start.sh"
WAYS = {"alert_webhook": "webhook", "alert_slack": "slack", "alert_discord": "discord"}
MAIL = {
    "ALERT_EMAIL_TO": "you@example.org",
    "ALERT_EMAIL_FROM": "archive@example.org",
    "ALERT_SMTP_HOST": "mail.example.org:587",
}
CONFIG = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text("utf-8"))


@pytest.fixture
def secrets(engine: None, tmp_path: Path) -> Path:  # noqa: ARG001
    """Make the secrets as `make secrets` does: every address empty."""
    folder = tmp_path / "secrets"
    unheard(folder)
    return folder


def _fill(secrets: Path, *names: str) -> None:
    for name in names:
        (secrets / name).write_text(f"https://{name}.example.org/secret\n", encoding="utf-8")


def _shell(secrets: Path, script: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run_in("ALERTMANAGER_IMAGE", "/bin/sh", "-ec", script, env=env, secrets=secrets)


def _rendered(secrets: Path, **env: str) -> dict[str, set[str]]:
    """Return each receiver's ways, after Alertmanager's own tool has found the configuration good."""
    said = _shell(secrets, f"sh {START} render >/tmp/a.yml; amtool check-config /tmp/a.yml >&2", **env)
    assert said.returncode == 0, said.stdout
    said = _shell(secrets, f"sh {START} render", **env)
    receivers = yaml.safe_load(said.stdout)["receivers"]
    return {
        one["name"]: {key.removesuffix("_configs") for key in one if key.endswith("_configs")}
        for one in receivers
    }


def test_nobody_is_told_until_somebody_is_named_and_the_start_says_so(secrets: Path) -> None:
    assert _rendered(secrets) == {"critical": set(), "warning": set(), "watchdog": set()}
    said = _shell(secrets, f"exec sh {START} --version")
    assert said.returncode == 0, said.stdout
    assert "WARNING: NOBODY IS TOLD" in said.stdout
    assert "WARNING: NO DEAD MAN'S SWITCH" in said.stdout


@pytest.mark.parametrize("secret", WAYS)
def test_one_secret_is_enough(secrets: Path, secret: str) -> None:
    _fill(secrets, secret)
    assert _rendered(secrets) == {"critical": {WAYS[secret]}, "warning": {WAYS[secret]}, "watchdog": set()}


def test_every_way_at_once(secrets: Path) -> None:
    _fill(secrets, *WAYS, "alert_watchdog")
    (secrets / "alert_smtp_password").write_text("a password\n", encoding="utf-8")
    ways = {*WAYS.values(), "email"}
    assert _rendered(secrets, **MAIL) == {"critical": ways, "warning": ways, "watchdog": {"webhook"}}
    said = _shell(secrets, f"exec sh {START} --version", **MAIL)
    assert "alerts go by webhook slack discord email" in said.stdout
    assert "WARNING" not in said.stdout


def test_no_secret_stands_in_the_configuration(secrets: Path) -> None:
    _fill(secrets, *WAYS, "alert_watchdog")
    (secrets / "alert_smtp_password").write_text("a password\n", encoding="utf-8")
    shown = _shell(secrets, f"sh {START} render", **MAIL).stdout
    for name in unheard(secrets):
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
def test_what_cannot_work_stops_the_start(
    secrets: Path, content: str, env: dict[str, str], complaint: str
) -> None:
    (secrets / "alert_webhook").write_text(content, encoding="utf-8")
    said = _shell(secrets, f"exec sh {START} --version", **env)
    assert said.returncode != 0
    assert complaint in said.stdout


def test_each_alert_goes_where_it_should(secrets: Path) -> None:
    asks = [
        f"amtool config routes test --config.file=/tmp/a.yml --verify.receivers={wanted} {labels}"
        for wanted, labels in [
            *{
                (
                    alert.rule["labels"]["severity"],
                    f"alertname={alert.name} severity={alert.rule['labels']['severity']}",
                )
                for alert in ALERTS
                if alert.name != "Watchdog"
            },
            ("watchdog", "alertname=Watchdog severity=none"),
            ("warning", "alertname=Unheard"),
        ]
    ]
    said = _shell(secrets, f"sh {START} render >/tmp/a.yml\n" + "\n".join(asks))
    assert said.returncode == 0, said.stdout
    # The tool can say no.
    wrong = "amtool config routes test --config.file=/tmp/a.yml --verify.receivers=warning severity=critical"
    assert _shell(secrets, f"sh {START} render >/tmp/a.yml\n{wrong}").returncode != 0


def test_the_switch_is_called_more_often_than_anybody_waits() -> None:
    (switch,) = (one for one in CONFIG["route"]["routes"] if one["receiver"] == "watchdog")
    assert (switch["group_wait"], switch["group_interval"], switch["repeat_interval"]) == ("0s", "1m", "5m")


def test_what_is_silenced_by_a_cause_exists_and_no_two_silence_each_other() -> None:
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
