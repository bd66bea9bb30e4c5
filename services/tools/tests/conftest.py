"""Fixtures: an archive of two hours, and a function that runs the command on a copy of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from services.tools.main import app
from services.tools.tests.making import archive, events
from testing.harness.daemons import PREFIXES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.shared.event import Stream

    Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def truth() -> dict[Stream, list[bytes]]:
    """Give the events of two hours."""
    return events(1440, rate=0.2)


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory, truth: dict[Stream, list[bytes]]) -> Path:
    """Give an archive of these events, which tests must not change."""
    return archive(tmp_path_factory.mktemp("healthy") / "archive", truth, chunk=400)


@pytest.fixture
def root(tmp_path: Path, healthy: Path) -> Path:
    """Give a copy of it."""
    return shutil.copytree(healthy, tmp_path / "archive")


@pytest.fixture
def ask(root: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run `archive` on it; the answer has exit_code, stdout, stderr. There is no writer to ask."""
    for name in os.environ:
        if name.startswith((*PREFIXES, "TOOLS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ARCHIVE_ROOT", str(root))
    monkeypatch.setenv("TOOLS_METRICS_URL", "http://127.0.0.1:1/metrics")
    for module in ("pull", "compact"):
        # Loggers keep the standard error of their creation, but each run here has its own.
        monkeypatch.setattr(f"services.tools.cli.{module}.start_logs", lambda *_names: None)
    return lambda *words: CliRunner().invoke(app, list(words))
