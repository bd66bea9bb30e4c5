"""The prompt: statements over several lines, mistakes that end nothing, and clean ways out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from services.tools.shell import MORE, PROMPT, Shell
from services.tools.views import connected
from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def typed(root: Path, *lines: str | type[BaseException]) -> list[str]:
    """Type lines; an exception stands for the key that raises it. Returns the prompts."""
    given = iter(lines)
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        line = next(given, EOFError)
        if isinstance(line, str):
            return line
        raise line

    with connected(root, 256) as connection:
        Shell(connection, root).run(read)
    return prompts


def test_a_statement_ends_with_a_semicolon(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(root, "SELECT 40 +", "", "2 AS sum;", ".quit", "SELECT 1;") == [PROMPT, MORE, MORE, PROMPT]
    assert "42" in capsys.readouterr().out


def test_a_mistake_ends_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(root, "SELECT nothing FROM posts;", "COPY posts TO 'x.csv';", ".what", "SELECT 'still here';")
    shown = capsys.readouterr().out
    assert "nothing" in shown
    assert "still here" in shown
    assert ".tables" in shown


def test_the_views_are_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(root, ".tables")
    assert "identities" in capsys.readouterr().out


def test_ctrl_c_drops_what_was_typed_and_ctrl_d_leaves(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(root, "SELECT 'dropped'", KeyboardInterrupt, "SELECT 'kept';", EOFError) == [
        PROMPT,
        MORE,
        PROMPT,
        PROMPT,
    ]
    shown = capsys.readouterr().out
    assert "kept" in shown
    assert "dropped" not in shown


def test_it_reads_statements_from_a_pipe(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.tools.main", "shell"],
        check=True,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "ARCHIVE_ROOT": str(root)},
        input="SELECT count(*) AS n\nFROM likes;\n",
        capture_output=True,
        text=True,
    )
    assert "n" in done.stdout
    assert done.stderr == ""
