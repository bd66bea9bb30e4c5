"""The cloud-config: contents, size, no secret; and the memory limits of every machine size."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.deploy_agent import release
from deployment.deploy_agent.layout import Layout
from deployment.provision.cloud_init import (
    FORK_FACTOR,
    LARGEST_BYTES,
    MAX_SHARE,
    MIN_MEMORY_MB,
    programs,
    render,
    sizes,
)
from deployment.provision.errors import Refused
from deployment.provision.settings import read
from deployment.provision.tests.running import KEY, write
from testing.harness.daemons import REPOSITORY
from testing.harness.stack import BASE, PRODUCTION, Stack

BIN = Path(sys.executable).parent
MACHINES = (4096, 8192, 16384, 32768)
MIB = 1 << 20
# Variables that production's Compose file requires.
REQUIRED = re.compile(r"\$\{(\w+):\?")


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


def test_it_is_reproducible_and_not_too_large(text: str, tmp_path: Path) -> None:
    assert text.startswith("#cloud-config\n")
    assert len(text.encode()) < LARGEST_BYTES
    assert render(read(write(tmp_path)), 4711, 4096, programs()).text == text
    assert "@{" not in text


def test_a_cloud_config_that_is_too_large_is_refused(tmp_path: Path) -> None:
    noise = {"noise": random.Random(0).randbytes(30_000)}
    with pytest.raises(Refused, match=f"Hetzner takes {LARGEST_BYTES}; shorten"):
        render(read(write(tmp_path)), 4711, 4096, noise)


def test_the_workflows_key_runs_the_deploy_agent_and_nothing_else(config: dict[str, Any]) -> None:
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


def test_settings_and_limits_are_those_of_the_machine(config: dict[str, Any]) -> None:
    settings = dict(line.split("=", 1) for line in _file(config, "/opt/archive/shared/.env").split())
    assert settings["SITE_ADDRESS"] == "archive.example.org"
    assert settings["IMAGE_PREFIX"] == "registry.test/me"
    assert settings["REDIS_MAXMEMORY"] == "1024mb"
    assert config["mounts"][0][0] == "/dev/disk/by-id/scsi-0HC_Volume_4711"


def test_another_program_changes_the_label(tmp_path: Path) -> None:
    settings = read(write(tmp_path))
    labels = {render(settings, 1, 4096, {"deploy-agent": data}).label for data in (b"a", b"b")}
    assert len(labels) == 2


def test_programs_are_unpacked_unchanged_and_executable(config: dict[str, Any]) -> None:
    packed = base64.b64decode(_file(config, "/opt/archive/programs.tar.xz"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        entries = {entry.name: entry for entry in archive}
        assert {name: archive.extractfile(name).read() for name in entries} == programs()  # type: ignore[union-attr]
    assert {entry.mode for entry in entries.values()} == {0o755}
    assert all(data.startswith(b"#!/usr/bin/env") for data in programs().values())


def test_shellcheck_accepts_its_scripts(config: dict[str, Any], tmp_path: Path) -> None:
    scripts = [one for one in config["write_files"] if str(one["content"]).startswith("#!/bin/sh")]
    assert scripts
    for number, one in enumerate(scripts):
        path = tmp_path / f"{number}.sh"
        path.write_text(one["content"], "utf-8")
        done = subprocess.run([BIN / "shellcheck", path], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_the_compose_script_uses_the_paths_of_the_deploy_agent(config: dict[str, Any]) -> None:
    script, layout = _file(config, "/opt/archive/bin/compose"), Layout()
    for path in (layout.current, layout.settings, layout.secrets):
        assert str(path) in script
    for name in (release.PROJECT, release.IMAGES, release.CONFIG, *release.COMPOSE):
        assert name in script


def test_redis_has_a_gigabyte_on_the_smallest_machine() -> None:
    assert sizes(4096)["REDIS_MAXMEMORY"] == "1024mb"


@pytest.mark.parametrize("memory_mb", MACHINES)
def test_the_limit_of_redis_has_room_for_a_fork(memory_mb: int) -> None:
    shares = sizes(memory_mb)
    names = ("REDIS_MAXMEMORY", "REDIS_MEMORY_LIMIT")
    maxmemory, limit = (int(re.sub(r"\D", "", shares[name])) for name in names)
    assert limit >= maxmemory * FORK_FACTOR


@pytest.mark.parametrize("memory_mb", MACHINES)
def test_all_limits_together_leave_memory_to_the_kernel(
    engine: None,  # noqa: ARG001 - for its check
    tmp_path: Path,
    memory_mb: int,
) -> None:
    stack = Stack("bluesky-archive-test-sizes", tmp_path, sizes(memory_mb), (BASE, PRODUCTION))
    required = REQUIRED.findall((REPOSITORY / PRODUCTION).read_text("utf-8"))
    stack.settings = {**dict.fromkeys(required, "registry.test/me:1"), **stack.settings}
    services = json.loads(stack.compose("config", "--format", "json"))["services"]
    limits = {name: int(service["mem_limit"]) / MIB for name, service in services.items()}
    assert sum(limits.values()) <= MAX_SHARE * memory_mb, limits


def test_a_machine_that_is_too_small_is_refused() -> None:
    with pytest.raises(Refused, match=f"choose a server_type with {MIN_MEMORY_MB} MB or more"):
        sizes(2048)
