"""Secrets are made once, never overwritten, and kept from other users."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deployment.make_secrets import ADDRESSES, EXPORTER_MAP, PASSWORDS, main, make_secrets

if TYPE_CHECKING:
    from pathlib import Path


def test_each_is_made_once_and_random(tmp_path: Path) -> None:
    assert set(make_secrets(tmp_path / "a")) == {*PASSWORDS, *ADDRESSES, EXPORTER_MAP}
    make_secrets(tmp_path / "b")
    made = {name: (tmp_path / "a" / name).read_text() for name in PASSWORDS}
    assert len(set(made.values())) == len(PASSWORDS)
    assert all(len(password.strip()) >= 32 for password in made.values())
    assert not set(made.values()) & {(tmp_path / "b" / name).read_text() for name in PASSWORDS}
    assert make_secrets(tmp_path / "a") == []
    assert made == {name: (tmp_path / "a" / name).read_text() for name in PASSWORDS}


def test_the_exporters_map_has_its_password(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    told = set(json.loads((tmp_path / EXPORTER_MAP).read_text()).values())
    assert told == {(tmp_path / "redis_exporter").read_text().strip()}


def test_others_are_kept_out(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {modes.pop(name) for name in ADDRESSES} == {0o644}
    assert set(modes.values()) == {0o444}


def test_addresses_are_empty_until_somebody_fills_them_and_stay_then(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    assert {(tmp_path / name).read_text().strip() for name in ADDRESSES} == {""}
    (tmp_path / "alert_webhook").write_text("https://hook.example.org/x\n")
    make_secrets(tmp_path)
    assert (tmp_path / "alert_webhook").read_text() == "https://hook.example.org/x\n"


def test_compose_is_told_and_other_settings_stay(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_PORT=7000\n")
    assert main(tmp_path) == 0
    assert main(tmp_path) == 0
    assert (tmp_path / ".env").read_text() == "REDIS_PORT=7000\nSECRETS_DIR=./secrets\n"
