"""The list of commands, and errors."""

from __future__ import annotations

import importlib
import tomllib
from typing import TYPE_CHECKING

from testing.harness.daemons import REPOSITORY

if TYPE_CHECKING:
    import pytest

    from services.tools.tests.conftest import Ask


def test_help_lists_the_commands(ask: Ask) -> None:
    shown = ask("--help").stdout
    for word in ("Overview", "Queries", "status", "gaps", "sql", "Exit codes"):
        assert word in shown
    assert ask().exit_code == 2


def test_the_installed_program_is_this_one(ask: Ask) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, name = project["project"]["scripts"]["archive"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
    assert ask("nonsense").exit_code == 2


def test_a_misspelt_setting_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS_MEMORY", "64")
    answer = ask("status")
    assert answer.exit_code == 2
    assert "did you mean TOOLS_MEMORY_MB?" in answer.stderr
