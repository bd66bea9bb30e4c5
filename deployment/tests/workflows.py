"""The workflows as data, and the steps of a job run here unchanged."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from deployment.commands import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = ROOT / ".github" / "workflows"
SUBSTITUTES = {
    "actions/checkout": "the clone, at the commit",
    "actions/setup-python": "the Python that runs the tests, and the environment that `make` made with it",
}
"""The local substitute of each action of a job."""
STEP_SECONDS = 900
_EXPRESSION = re.compile(r"\$\{\{\s*(\w+)\.(\w+)\s*\}\}")


class NoSubstituteError(Exception):
    """A step uses an action without a substitute."""


def workflows() -> dict[str, dict[str, Any]]:
    """Return every workflow by its file name."""
    return {path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yml"))}


def jobs() -> dict[str, dict[str, Any]]:
    """Return every job, as `file:job`."""
    return {f"{name}:{job}": body for name, flow in workflows().items() for job, body in flow["jobs"].items()}


def substitutes(job: Mapping[str, Any]) -> list[str]:
    """Return each action of a job with its substitute; raises NoSubstituteError."""
    listed = []
    for used in [step["uses"] for step in job["steps"] if "uses" in step]:
        action = used.partition("@")[0]
        if action not in SUBSTITUTES:
            raise NoSubstituteError(f"{action}: has no substitute here; name one, or remove the action")
        listed.append(f"{action}: {SUBSTITUTES[action]}")
    return listed


def run_job(
    job: Mapping[str, Any], folder: Path, given: Mapping[str, Mapping[str, str]], surroundings: dict[str, str]
) -> list[subprocess.CompletedProcess[str]]:
    """Run each `run` step of a job unchanged, as the runner does; stops after the first that fails.

    `given`: the values of `vars` and `secrets`.
    """
    done: list[subprocess.CompletedProcess[str]] = []
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    for step in [step for step in job["steps"] if "run" in step]:
        env = {name: _filled(str(value), given) for name, value in step.get("env", {}).items()}
        done.append(
            subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                check=False,
                cwd=folder,
                env={**keep, **surroundings, **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=STEP_SECONDS,
            )
        )
        if done[-1].returncode != 0:
            break
    return done


def _filled(value: str, given: Mapping[str, Mapping[str, str]]) -> str:
    return _EXPRESSION.sub(lambda found: given[found[1]][found[2]], value)
