"""Each image holds one service and its dependencies; recipes and scripts pass the linters."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from testing.environment.images.recipes import references
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import LABEL, docker, inspect, run

BIN = Path(sys.executable).parent
SKIPPED = {".venv", "node_modules"}
DAEMONS = ("jetstream", "data_writer", "monitoring")
FOREIGN = {"jetstream": "pyarrow", "data_writer": "websockets", "monitoring": "websockets"}
"""A package of another service that must not be in the image."""
ALONGSIDE = {"data_writer": {"archive", "compactor", "tools"}}
"""Further packages of the writer's image: the files, compaction, and the `archive` command."""
FOR_ONE = {"duckdb": "data_writer"}
MIB = 1 << 20
# The writer's image: pyarrow 107, DuckDB 69, output of `archive` 15.
LARGEST = {"jetstream": 80, "data_writer": 215, "monitoring": 40, "demo": 80, "redis": 5, "caddy": 5}
"""MiB that an image of ours may add to its base image."""
BASES = {"redis": "REDIS_IMAGE", "caddy": "CADDY_IMAGE"}


def _files(pattern: str) -> list[Path]:
    found = (path.relative_to(REPOSITORY) for path in REPOSITORY.rglob(pattern))
    return sorted(path for path in found if not SKIPPED & set(path.parts))


@pytest.mark.parametrize("recipe", _files("Dockerfile"), ids=str)
def test_hadolint(recipe: Path) -> None:
    # Stand-ins install whatever version Debian has.
    ignored = ["--ignore=DL3008", "--ignore=DL3006"] if "testing" in recipe.parts else []
    done = run(str(BIN / "hadolint"), *ignored, str(recipe), check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("script", [*_files("*.sh"), Path(".ci/run")], ids=str)
def test_shellcheck(script: Path) -> None:
    done = run(str(BIN / "shellcheck"), str(script), check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("recipe", _files("Dockerfile"), ids=str)
def test_a_recipe_builds_on_old_engines(recipe: Path) -> None:
    text = (REPOSITORY / recipe).read_text("utf-8")
    for too_new in ("<<E", "# syntax=", "--link", "--start-interval"):
        assert too_new not in text


@pytest.mark.parametrize("service", DAEMONS)
def test_an_image_holds_one_service(images: str, service: str) -> None:
    listed = _run(images, service, "find", "/app", "/opt/venv", "-type", "f")
    files = listed.splitlines()
    assert any(path.startswith(f"/app/services/{service}/main.py") for path in files)
    folders = {
        path.split("/")[3] for path in files if path.startswith("/app/services/") and path.count("/") > 3
    }
    assert folders - {"__pycache__"} == {service, "shared", "buffer"} | ALONGSIDE.get(service, set())
    assert not [
        path for path in files if path.startswith("/app") and ("/tests/" in path or "/testing/" in path)
    ]
    packages = {path.split("/site-packages/")[1].split("/")[0] for path in files if "/site-packages/" in path}
    others = {package for package, owner in FOR_ONE.items() if owner != service}
    assert not packages & {FOREIGN[service], "pip", "pytest", "hypothesis", *others}


@pytest.mark.parametrize("service", DAEMONS)
def test_an_image_runs_as_a_user_without_write_access(images: str, service: str) -> None:
    assert inspect(f"bluesky-archive/{service}:{images}")["Config"]["User"] == "10001:10001"
    writable = _run(
        images, service, "find", "/app", "/opt", "/usr", "-xdev", "-writable", "-not", "-type", "l"
    )
    assert not writable.split()


@pytest.mark.parametrize("name", LARGEST)
def test_an_image_adds_at_most_its_limit(images: str, name: str) -> None:
    base = next(one for one in references() if one.variable == BASES.get(name, "PYTHON_IMAGE"))
    added = inspect(f"bluesky-archive/{name}:{images}")["Size"] - inspect(str(base))["Size"]
    assert added / MIB < LARGEST[name]


def _run(tag: str, service: str, *words: str) -> str:
    options = ("--rm", f"--label={LABEL}", "--network=none", f"--entrypoint={words[0]}")
    return docker("run", *options, f"bluesky-archive/{service}:{tag}", *words[1:])
