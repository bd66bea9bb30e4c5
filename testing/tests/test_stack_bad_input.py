"""Wrong settings, secrets and volumes: each start stops with a message that names the remedy."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from testcontainers.core.container import DockerContainer

from testing.harness.programs import LABEL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testing.harness.stack import Stack

    MakeStack = Callable[..., Stack]

GOOD = dict.fromkeys(("ingester", "writer", "tools", "exporter", "health"), "x" * 32)


def _redis_log(images: str, folder: Path, passwords: dict[str, str], **settings: str) -> str:
    """Start our Redis image alone; it must exit. Returns its log."""
    memory = settings.pop("memory", "256m")
    container = DockerContainer(
        f"bluesky-archive/redis:{images}", labels=dict([LABEL.split("=")]), mem_limit=memory
    )
    container.with_env("REDIS_MAXMEMORY", settings.get("maxmemory", "100mb"))
    for role, password in passwords.items():
        (folder / role).write_text(password, encoding="utf-8")
        container.with_volume_mapping(str(folder / role), f"/run/secrets/redis_{role}")
    if "data" in settings:
        container.with_volume_mapping(settings["data"], "/data", "rw")
    with container:
        wrapped = container.get_wrapped_container()
        ended = wrapped.wait(timeout=20)
        output = b"".join(container.get_logs()).decode()
    assert ended["StatusCode"] == 1, output
    return output


def test_redis_without_a_secret(images: str, tmp_path: Path) -> None:
    few = {role: password for role, password in GOOD.items() if role != "writer"}
    output = _redis_log(images, tmp_path, few)
    assert output == "redis: the secret redis_writer cannot be read; run: make secrets\n"


@pytest.mark.parametrize("password", ["", "changeme", "short"])
def test_redis_with_a_placeholder(images: str, tmp_path: Path, password: str) -> None:
    output = _redis_log(images, tmp_path, {**GOOD, "tools": password})
    assert (
        output
        == "redis: the secret redis_tools is a placeholder or too short; delete it and run: make secrets\n"
    )


@pytest.mark.parametrize(
    ("maxmemory", "sentence"),
    [
        ("two", "REDIS_MAXMEMORY is 'two'; give a size such as 2gb"),
        ("1mb", "REDIS_MAXMEMORY is '1mb'; a buffer needs at least 64mb"),
        (
            "200mb",
            "REDIS_MAXMEMORY of 200mb needs a container of 1.5 times as much: raise REDIS_MEMORY_LIMIT",
        ),
    ],
)
def test_redis_with_an_unfit_maxmemory(images: str, tmp_path: Path, maxmemory: str, sentence: str) -> None:
    assert _redis_log(images, tmp_path, GOOD, maxmemory=maxmemory) == f"redis: {sentence}\n"


def test_redis_with_a_volume_that_cannot_be_written(images: str, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a folder that another user's container cannot write")
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    output = _redis_log(images, tmp_path, GOOD, data=str(data))
    assert output.startswith("redis: /data cannot be written by user 999; correct its owner with: chown")


def test_no_secrets_at_all(stack: MakeStack) -> None:
    one = stack()
    del one.settings["SECRETS_DIR"]
    output = one.compose("up", "-d", "redis", check=False)
    assert output.count("\n") == 1
    assert "run: make secrets" in output


def test_a_secret_was_deleted(stack: MakeStack) -> None:
    one = stack()
    (one.secrets / "redis_health").unlink()
    output = one.compose("up", "-d", "redis", check=False)
    assert "secrets/redis_health" in output


def test_a_daemon_with_a_placeholder(stack: MakeStack) -> None:
    one = stack()
    (one.secrets / "redis_writer").chmod(0o644)
    (one.secrets / "redis_writer").write_text("changeme\n", encoding="utf-8")
    output = one.compose("run", "--rm", "--no-deps", "-T", "data_writer", check=False)
    assert "the password is a placeholder; run `make secrets`" in output


@pytest.mark.parametrize(
    ("service", "name", "near"),
    [
        ("jetstream", "INGEST_HOST", "INGEST_HOSTS"),
        ("data_writer", "WRITER_INTERVALL", "WRITER_INTERVAL"),
        ("health", "ARCHIVE_LOGLEVEL", "ARCHIVE_LOG_LEVEL"),
    ],
)
def test_an_unknown_variable(stack: MakeStack, service: str, name: str, near: str) -> None:
    one = stack({name: "x"})
    output = one.compose("run", "--rm", "--no-deps", "-T", service, check=False)
    assert f"{name}: no such setting; did you mean {near}?" in output


def test_a_taken_port(stack: MakeStack) -> None:
    one = stack()
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", int(one.settings["REDIS_PORT"])))
        squatter.listen()
        output = one.compose("up", "-d", "redis", check=False)
    assert f"127.0.0.1:{one.settings['REDIS_PORT']}" in output
    assert "address already in use" in output or "already allocated" in output


def test_an_archive_that_cannot_be_written(stack: MakeStack, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make a folder that another user's container cannot write")
    one = stack()
    archive = tmp_path / "archive"
    archive.mkdir(mode=0o755)
    output = one.compose(
        "run", "--rm", "--no-deps", "-T", "--volume", f"{archive}:/archive", "data_writer", check=False
    )
    assert "ARCHIVE_ROOT" in output
    assert "cannot be written" in output


def test_the_demo_on_an_archive_of_real_events(stack: MakeStack) -> None:
    one = stack({}, profiles=("demo",))
    one.compose(
        "run",
        "--rm",
        "--no-deps",
        "-T",
        "data_writer",
        "sh",
        "-c",
        "mkdir /archive/.state && echo 0123456789abcdef >/archive/.state/id",
    )
    output = one.compose("run", "--rm", "--no-deps", "-T", "fake_jetstream", check=False)
    assert "docker compose -p demo --profile demo up" in output
