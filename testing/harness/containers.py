"""The pytest plugin for tests that need a Docker Engine: single containers, and stacks of a test's own.

Everything started here bears the label `bluesky-archive=test` or the name of such a project, and is removed
at the test's end, also when it failed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.harness.stack import IMAGE_TAG, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LABEL = {"bluesky-archive": "test"}
PROJECT = "bluesky-archive-test"
BUILD_SECONDS = 600
MARKERS = {"engine": "containers", "pipeline": "pipelines"}
"""By a test's fixture."""
# Containers are ended by our fixtures; the library's own reaper would be an image to pull.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs an engine, and what runs whole pipelines, so that they can be run, and timed, apart."""
    for item in items:
        for fixture, marker in MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


@pytest.fixture(scope="session")
def engine() -> None:
    """Need a Docker Engine with Compose."""
    if shutil.which("docker") is None:
        missing("no docker here; install Docker Engine, or on a bare Debian machine: make engine")
    for words in (["info"], ["compose", "version"], ["buildx", "version"]):
        asked = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
        if asked.returncode != 0:
            missing(f"docker {words[0]} fails; start the engine, or on a bare Debian machine: make engine")


@pytest.fixture(scope="session")
def images(engine: None) -> str:  # noqa: ARG001 - wanted for its check
    """Build our images, once a session; returns their tag."""
    build = ["docker", "buildx", "build", "--load", "--label=bluesky-archive=test"]
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
        built = subprocess.run(
            [*build, f"--tag=bluesky-archive/{name}:{IMAGE_TAG}", *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
        assert built.returncode == 0, f"the image {name} cannot be built:\n{built.stderr[-4000:]}"
    return IMAGE_TAG


@pytest.fixture
def stack(images: str, tmp_path: Path) -> Iterator[Callable[..., Stack]]:  # noqa: ARG001 - wanted for its work
    """Make Compose projects, not yet started; each is removed at the test's end."""
    made: list[Stack] = []

    def make(settings: dict[str, str] | None = None, **chosen: tuple[str, ...]) -> Stack:
        name = f"{PROJECT}-{secrets.token_hex(4)}"
        made.append(Stack(name, tmp_path / name, settings or {}, **chosen))
        return made[-1]

    yield make
    for one in made:
        one.end()
