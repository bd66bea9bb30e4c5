"""The pytest plugin: Redis, pipelines, images and Compose stacks, each test with its own.

A missing tool skips the test with the reason, or fails it where CI=true. Containers and networks have the
label `bluesky-archive=test` or the name of such a project; they are removed at the end of the test.
"""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from testing.harness.daemons import REPOSITORY
from testing.harness.pipeline import Pipeline
from testing.harness.programs import LABEL, docker, run
from testing.harness.redis import NoServerError, RedisServer, find_server
from testing.harness.stack import IMAGE_TAG, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from testing.harness.host import Host


REAL_EVENTS = REPOSITORY.parent / "shared" / "data"

# Hypothesis would fail an example that takes longer than 200 ms, which says only how busy the machine is.
settings.register_profile(
    "any_speed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any_speed")
PROJECT = "bluesky-archive-test"
BUILD_SECONDS = 600
MARKERS = {"engine": "containers", "pipeline": "pipelines"}
"""Marker of tests that use a fixture."""


def missing(what: str) -> NoReturn:
    """Skip the test because a tool is missing, or fail where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing where CI=true: {what}")
    pytest.skip(what)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Return a running server of this test."""
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Return a function that makes pipelines, not started; at the end of the test they are killed."""
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    made: list[Pipeline] = []

    def make(*hosts: Host, **settings: dict[str, str]) -> Pipeline:
        folder = tmp_path / f"pipeline{len(made)}"
        made.append(Pipeline(folder, list(hosts), **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.end()


@pytest.fixture
def real_events() -> Path:
    """Return the folder of events captured from the real network, which are not part of this repository."""
    if not REAL_EVENTS.is_dir():
        pytest.skip("the captured events are not on this machine")
    return REAL_EVENTS


# Our fixtures remove containers; the library's own reaper would need an image that may not be pulled.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need an engine or run whole pipelines, so that they can be selected."""
    for item in items:
        for fixture, marker in MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def new_project() -> str:
    """Return a new name of a Compose project."""
    return f"{PROJECT}-{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def engine() -> None:
    """Require a Docker Engine with Compose."""
    if shutil.which("docker") is None:
        missing("no docker here; install Docker Engine, or on a bare Debian machine: make engine")
    for words in (["info"], ["compose", "version"], ["buildx", "version"]):
        if run("docker", *words, check=False).returncode != 0:
            missing(f"docker {words[0]} fails; start the engine, or on a bare Debian machine: make engine")


@pytest.fixture(scope="session")
def images(engine: None) -> str:  # noqa: ARG001 - used for its check
    """Build our images once a session; returns their tag."""
    build = ["buildx", "build", "--load", f"--label={LABEL}"]
    folder = str(REPOSITORY)
    recipe = ["--file", str(REPOSITORY / "services" / "Dockerfile")]
    kinds = {
        "redis": [f"{folder}/services/redis"],
        "jetstream": [*recipe, "--build-arg=SERVICE=jetstream", folder],
        "data_writer": [*recipe, "--build-arg=SERVICE=data_writer", "--target=archive", folder],
        "tools": [*recipe, "--build-arg=SERVICE=tools", "--target=tools", folder],
        "monitoring": [*recipe, "--build-arg=SERVICE=monitoring", folder],
        "demo": [*recipe, "--build-arg=SERVICE=jetstream", "--target=demo", folder],
        "caddy": [f"{folder}/deployment/caddy"],
    }
    for name, words in kinds.items():
        docker(*build, f"--tag=bluesky-archive/{name}:{IMAGE_TAG}", *words, seconds=BUILD_SECONDS)
    return IMAGE_TAG


@pytest.fixture
def stack(images: str, tmp_path: Path) -> Iterator[Callable[..., Stack]]:  # noqa: ARG001 - used for its effect
    """Return a function that makes Compose projects, not started; each is removed at the end of the test."""
    made: list[Stack] = []

    def make(settings: dict[str, str] | None = None, **chosen: tuple[str, ...]) -> Stack:
        name = new_project()
        made.append(Stack(name, tmp_path / name, settings or {}, **chosen))
        return made[-1]

    yield make
    for one in made:
        one.end()
