"""CONTRIBUTING's example diffs match the code; GitHub's forms and the hooks are valid."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from testing.docs.markdown import blocks
from testing.harness.daemons import REPOSITORY
from testing.harness.programs import run

FOLDER = REPOSITORY / ".github"
DIFFS = list(blocks((FOLDER / "CONTRIBUTING.md").read_text(encoding="utf-8"), "diff"))


@pytest.mark.parametrize("number", range(len(DIFFS)))
def test_the_lines_of_an_example_are_in_the_code(number: int) -> None:
    lines: set[str] = set()
    for line in DIFFS[number].code.splitlines():
        if line.startswith("+++ "):
            path = REPOSITORY / line.removeprefix("+++ ")
            lines = {text.strip() for text in path.read_text(encoding="utf-8").splitlines()}
        else:
            assert line.startswith("+"), line
            assert line.removeprefix("+").strip() in lines, line


def test_there_is_an_example_of_each_kind() -> None:
    text = (FOLDER / "CONTRIBUTING.md").read_text(encoding="utf-8")
    kinds = ("setting", "metric", "alert", "stream", "stage")
    assert all(f"### ... a {kind}" in text or f"### ... an {kind}" in text for kind in kinds)
    assert len(DIFFS) == len(kinds)


def test_the_forms_are_valid_for_github() -> None:
    forms = sorted((FOLDER / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
    assert len(forms) == 2
    check = [
        str(Path(sys.executable).parent / "check-jsonschema"),
        "--builtin-schema=vendor.github-issue-forms",
    ]
    done = run(*check, *map(str, forms), check=False)
    assert done.returncode == 0, done.stdout


def test_hooks_run_from_the_environment_without_downloads() -> None:
    config = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [one["repo"] for one in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].split()[0] in (".venv/bin/ruff", ".venv/bin/python", "make")
