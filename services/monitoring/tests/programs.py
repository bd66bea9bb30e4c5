"""Run programs of the Prometheus and Alertmanager images that Compose names."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from testing.environment.images.recipes import references
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MONITORING = REPOSITORY / "monitoring"
RUN_SECONDS = 120


def run_in(
    variable: str,
    program: str,
    *words: str,
    env: Mapping[str, str] | None = None,
    secrets: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of the image behind a Compose variable, with folder and secrets mounted as in Compose."""
    name = variable.removesuffix("_IMAGE").lower()
    image = next(str(reference) for reference in references() if reference.variable == variable)
    mounts = [f"--volume={MONITORING / name}:/etc/{name}:ro"]
    # One by one, as Compose does: only its owner can read the folder.
    mounts += [
        f"--volume={path}:/run/secrets/{path.name}:ro" for path in (secrets.iterdir() if secrets else ())
    ]
    settings = [f"--env={key}={value}" for key, value in (env or {}).items()]
    return subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--label=bluesky-archive=test",
            "--network=none",
            *mounts,
            *settings,
            f"--entrypoint={program}",
            image,
            *words,
        ],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
    )
