"""`archive compact`: what the compactor does by itself, now and for this archive, until nothing is due."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer
from prometheus_client import CollectorRegistry

from services.archive.locks import compactor_lock
from services.compactor.health import CompactorHealth
from services.compactor.loop import Compactor
from services.compactor.metrics import CompactorMetrics
from services.compactor.settings import CompactorSettings
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.shared.settings import load
from services.tools.console import FINE, FOUND, console, size
from services.tools.query.parts import find
from services.tools.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

_POLITE = 19


def compact(
    *,
    close_all: Annotated[
        bool, typer.Option("--close-all", help="Take every hour for closed: no writer will run.")
    ] = False,
) -> None:
    """Merge the files of closed hours. Exit code 1 if some could not be merged."""
    root = settings().root
    given = load(CompactorSettings, "COMPACT_").model_copy(update={"archive_root": root})
    start_logs("compactor", given.archive_log_level)
    # The writer has the machine first.
    os.nice(_POLITE)
    before = _extent(root)
    with stopping_on_signals() as stopping:
        compactor = Compactor(given, CompactorMetrics(CollectorRegistry()), CompactorHealth(), stopping)
        with compactor_lock(root):
            is_done = compactor.once(close_all=close_all)
    console().print(f"{_told(before)} became {_told(_extent(root))}")
    raise typer.Exit(FINE if is_done else FOUND)


def _extent(root: Path) -> tuple[int, int]:
    """Return how many files there are, and their bytes."""
    sizes = [part.path.stat().st_size for part in find(root).parts]
    return len(sizes), sum(sizes)


def _told(extent: tuple[int, int]) -> str:
    return f"{extent[0]:,} files, {size(extent[1])},"
