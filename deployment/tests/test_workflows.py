"""Permissions and secrets of the workflows, and their linters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployment.commands import ROOT
from deployment.tests.workflows import FOLDER, NoSubstituteError, jobs, substitutes, workflows

PROGRAMS = Path(sys.executable).parent
PINNED = re.compile(r"- uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
SECRET_JOB = "deploy.yml:deploy"  # noqa: S105 - a job's name
CALLS = re.compile(r"(sudo .*)?make \w+( .*)?")
FILES = sorted(FOLDER.glob("*.yml"))


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAMS / words[0]), *words[1:]], check=False, capture_output=True, text=True)


def test_actionlint_finds_nothing() -> None:
    done = _run("actionlint", *map(str, FILES))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_zizmor_finds_nothing() -> None:
    done = _run("zizmor", "--offline", "--no-progress", str(FOLDER.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["github-workflows", "dependabot"])
def test_the_files_match_their_schemas(kind: str) -> None:
    files = FILES if kind == "github-workflows" else [FOLDER.parent / "dependabot.yml"]
    done = _run("check-jsonschema", "--builtin-schema", f"vendor.{kind}", *map(str, files))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_with_its_version(path: Path) -> None:
    used = [line.strip() for line in path.read_text("utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not PINNED.search(line)] == []


def test_permissions_are_granted_by_jobs_only() -> None:
    assert [name for name, flow in workflows().items() if flow["permissions"] != {}] == []
    writes = {
        name: sorted(what for what, how in job["permissions"].items() if how == "write")
        for name, job in jobs().items()
    }
    assert {name: what for name, what in writes.items() if what} == {
        "deploy.yml:build": ["packages"],
        "deploy.yml:release": ["packages"],
    }


def test_one_job_has_secrets_and_the_environment() -> None:
    knowing = [name for name, job in jobs().items() if "secrets." in json.dumps(job)]
    assert knowing == [SECRET_JOB]
    assert [name for name, job in jobs().items() if "environment" in job] == [SECRET_JOB]
    # And no action but the checkout and Python runs in it.
    assert len(substitutes(jobs()[SECRET_JOB])) == 2


def test_the_deploy_job_has_a_timeout_and_is_never_cancelled() -> None:
    assert jobs()[SECRET_JOB]["timeout-minutes"] == 15
    assert jobs()[SECRET_JOB]["environment"] == "production"
    assert set(jobs()[SECRET_JOB]["needs"]) == {"check", "release"}
    assert workflows()["deploy.yml"]["concurrency"] == {"group": "production", "cancel-in-progress": False}
    assert all("timeout-minutes" in job for job in jobs().values())


def test_steps_run_targets_of_the_makefile_without_expressions() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name, job in jobs().items():
        for run in [step["run"] for step in job["steps"] if "run" in step]:
            assert "${{" not in run, name
            if run.startswith("sudo apt-get "):
                continue
            assert CALLS.fullmatch(run), f"{name}: {run}"
            assert re.findall(r"\bmake ([a-z-]+)", run)[0] in targets, f"{name}: {run}"


def test_a_checkout_leaves_no_credentials() -> None:
    for name, job in jobs().items():
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts), name


def test_an_action_without_a_substitute_is_reported() -> None:
    job: dict[str, Any] = {"steps": [{"uses": "somebody/ssh-action@v1"}]}
    with pytest.raises(NoSubstituteError, match="somebody/ssh-action: has no substitute"):
        substitutes(job)


def test_new_versions_wait_a_week() -> None:
    text = (FOLDER.parent / "dependabot.yml").read_text("utf-8")
    assert text.count("package-ecosystem") == text.count("cooldown: {default-days: 7}") == 4
