"""The cloud-config says what it should, in the bytes that Hetzner takes, and holds no secret."""

from __future__ import annotations

import base64
import io
import random
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.deploy_agent import release
from deployment.deploy_agent.layout import Layout
from deployment.provision.cloud_init import LARGEST_BYTES, render
from deployment.provision.programs import programs
from deployment.provision.refusal import Refused
from deployment.provision.settings import read
from deployment.provision.tests.running import KEY, write

BIN = Path(sys.executable).parent


@pytest.fixture
def text(tmp_path: Path) -> str:
    return render(read(write(tmp_path)), 4711, 4096, programs()).text


@pytest.fixture
def config(text: str) -> dict[str, Any]:
    read_back: dict[str, Any] = yaml.safe_load(text)
    return read_back


def _file(config: dict[str, Any], path: str) -> str:
    (content,) = (one["content"] for one in config["write_files"] if one["path"] == path)
    return str(content)


def test_it_fits_and_is_the_same_each_time(text: str, tmp_path: Path) -> None:
    assert text.startswith("#cloud-config\n")
    assert len(text.encode()) < LARGEST_BYTES
    assert render(read(write(tmp_path)), 4711, 4096, programs()).text == text
    assert "@{" not in text


def test_one_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    noise = {"noise": random.Random(0).randbytes(30_000)}
    with pytest.raises(Refused, match=f"Hetzner takes {LARGEST_BYTES}; shorten"):
        render(read(write(tmp_path)), 4711, 4096, noise)


def test_the_workflows_key_opens_the_gate_and_nothing_else(config: dict[str, Any]) -> None:
    users = {user["name"]: user for user in config["users"]}
    assert users["deploy"]["ssh_authorized_keys"] == [
        f'command="sudo -n /opt/archive/bin/deploy-agent",restrict {KEY}'
    ]
    assert users["deploy"]["sudo"] == 'ALL=(root) NOPASSWD: /opt/archive/bin/deploy-agent ""'
    assert "groups" not in users["deploy"]
    assert users["admin"]["ssh_authorized_keys"] == [KEY]


def test_it_holds_no_secret(text: str) -> None:
    assert "PRIVATE KEY" not in text
    assert "HCLOUD" not in text
    passwords = [line for line in text.splitlines() if "PASSWORD" in line.upper() and "=" in line]
    assert passwords == []


def test_the_settings_are_the_machines(config: dict[str, Any]) -> None:
    settings = dict(line.split("=", 1) for line in _file(config, "/opt/archive/shared/.env").split())
    assert settings["SITE_ADDRESS"] == "archive.example.org"
    assert settings["IMAGE_PREFIX"] == "registry.test/me"
    assert settings["REDIS_MAXMEMORY"] == "1024mb"
    assert config["mounts"][0][0] == "/dev/disk/by-id/scsi-0HC_Volume_4711"


def test_another_program_is_another_cloud_config(tmp_path: Path) -> None:
    settings = read(write(tmp_path))
    labels = {render(settings, 1, 4096, {"deploy-agent": data}).label for data in (b"a", b"b")}
    assert len(labels) == 2


def test_programs_come_out_as_they_went_in_and_can_be_run(config: dict[str, Any]) -> None:
    packed = base64.b64decode(_file(config, "/opt/archive/programs.tar.xz"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        entries = {entry.name: entry for entry in archive}
        assert {name: archive.extractfile(name).read() for name in entries} == programs()  # type: ignore[union-attr]
    assert {entry.mode for entry in entries.values()} == {0o755}
    assert all(data.startswith(b"#!/usr/bin/env") for data in programs().values())


def test_its_scripts_are_clean(config: dict[str, Any], tmp_path: Path) -> None:
    scripts = [one for one in config["write_files"] if str(one["content"]).startswith("#!/bin/sh")]
    assert scripts
    for number, one in enumerate(scripts):
        path = tmp_path / f"{number}.sh"
        path.write_text(one["content"], "utf-8")
        done = subprocess.run([BIN / "shellcheck", path], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_compose_by_hand_is_the_gates(config: dict[str, Any]) -> None:
    script, layout = _file(config, "/opt/archive/bin/compose"), Layout()
    for path in (layout.current, layout.settings, layout.secrets):
        assert str(path) in script
    for name in (release.PROJECT, release.IMAGES, release.CONFIG, *release.COMPOSE):
        assert name in script
