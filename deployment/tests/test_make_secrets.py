"""Secrets are made once, never overwritten, and not readable by other users."""

from __future__ import annotations

import json
import secrets
import subprocess
from typing import TYPE_CHECKING

import pytest

from deployment.make_secrets import (
    ADDRESSES,
    EXPORTER_MAP,
    KEYS,
    PASSWORDS,
    USERS,
    main,
    make_secrets,
    restart,
    rotate,
)
from testing.environment.images.recipes import BASE

if TYPE_CHECKING:
    from pathlib import Path


def test_each_secret_is_random_and_made_once(tmp_path: Path) -> None:
    assert set(make_secrets(tmp_path / "a")) == {*PASSWORDS, *ADDRESSES, *KEYS, EXPORTER_MAP}
    make_secrets(tmp_path / "b")
    made = {name: (tmp_path / "a" / name).read_text() for name in PASSWORDS}
    assert len(set(made.values())) == len(PASSWORDS)
    assert all(len(password.strip()) >= 32 for password in made.values())
    assert not set(made.values()) & {(tmp_path / "b" / name).read_text() for name in PASSWORDS}
    assert make_secrets(tmp_path / "a") == []
    assert made == {name: (tmp_path / "a" / name).read_text() for name in PASSWORDS}


def test_the_exporters_map_has_its_password(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    passwords = set(json.loads((tmp_path / EXPORTER_MAP).read_text()).values())
    assert passwords == {(tmp_path / "redis_exporter").read_text().strip()}


def test_other_users_cannot_enter_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert {modes.pop(name) for name in (*ADDRESSES, *KEYS)} == {0o644}
    assert set(modes.values()) == {0o444}


def test_addresses_are_created_empty_and_kept_when_filled(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    assert {(tmp_path / name).read_text().strip() for name in (*ADDRESSES, *KEYS)} == {""}
    (tmp_path / "alert_webhook").write_text("https://hook.example.org/x\n")
    make_secrets(tmp_path)
    assert (tmp_path / "alert_webhook").read_text() == "https://hook.example.org/x\n"


def test_env_gets_the_folder_and_keeps_other_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_PORT=7000\n")
    assert main(tmp_path, []) == 0
    assert main(tmp_path, []) == 0
    assert (tmp_path / ".env").read_text() == "REDIS_PORT=7000\nSECRETS_DIR=./secrets\n"


def test_rotating_replaces_one_password_only(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    for name in PASSWORDS:
        before = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert rotate(tmp_path, name) == USERS[name]
        after = {path.name: path.read_text() for path in tmp_path.iterdir()}
        changed = {one for one in before if before[one] != after[one]}
        assert changed == ({name, EXPORTER_MAP} if name == "redis_exporter" else {name})
        assert set(before) == set(after)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o444
    test_the_exporters_map_has_its_password(tmp_path)


def test_only_passwords_can_be_rotated(tmp_path: Path) -> None:
    assert set(USERS) == set(PASSWORDS)
    make_secrets(tmp_path)
    with pytest.raises(ValueError, match="alert_webhook is no password; one of archive_reader"):
        rotate(tmp_path, "alert_webhook")


def test_a_missing_password_is_not_rotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path, ["rotate", "redis_writer"]) == 1
    assert "make them first" in capsys.readouterr().err


def test_restarted_services_read_the_rotated_password(engine: None, tmp_path: Path) -> None:  # noqa: ARG001
    project = f"bluesky-archive-test-rotate-{secrets.token_hex(4)}"
    folder = tmp_path / "secrets"
    make_secrets(folder)
    made = []
    for service in USERS["redis_writer"]:
        labels = {"project": project, "service": service}
        words = [f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()]
        mount = f"--volume={folder}/redis_writer:/run/secrets/redis_writer:ro"
        started = [
            "docker",
            "run",
            "--detach",
            "--init",
            "--label=bluesky-archive=test",
            "--network=none",
            mount,
        ]
        command = [BASE, "sh", "-c", "cat /run/secrets/redis_writer; exec sleep 300"]
        done = subprocess.run([*started, *words, *command], check=True, capture_output=True, text=True)
        made.append(done.stdout.strip())
    try:
        assert main(tmp_path, ["rotate", "redis_writer", "--project", project]) == 0
        password = (folder / "redis_writer").read_text().strip()
        for container in made:
            logs = subprocess.run(["docker", "logs", container], check=True, capture_output=True, text=True)
            old, new = logs.stdout.split()
            assert new == password != old
        assert restart(("redis", "nobody"), project) == ["nobody"]
    finally:
        subprocess.run(["docker", "rm", "--force", *made], check=True, capture_output=True)
