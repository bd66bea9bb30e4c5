"""`archive compact`: compacts this archive once, as the compactor does continuously."""

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

_NICENESS = 19


def compact(
    *,
    close_all: Annotated[
        bool, typer.Option("--close-all", help="Treat every hour as closed, in an archive without a writer.")
    ] = False,
) -> None:
    """Merge the files of closed hours. Exit code 1 if some hours could not be merged."""
    root = settings().root
    given = load(CompactorSettings, "COMPACT_").model_copy(update={"archive_root": root})
    start_logs("compactor", given.archive_log_level)
    # The writer has priority.
    os.nice(_NICENESS)
    before = _extent(root)
    with stopping_on_signals() as stopping:
        compactor = Compactor(given, CompactorMetrics(CollectorRegistry()), CompactorHealth(), stopping)
        with compactor_lock(root):
            is_done = compactor.once(close_all=close_all)
    console().print(f"{_summary(before)} became {_summary(_extent(root))}")
    raise typer.Exit(FINE if is_done else FOUND)


def _extent(root: Path) -> tuple[int, int]:
    """Return the number of files and their bytes."""
    sizes = [part.path.stat().st_size for part in find(root).parts]
    return len(sizes), sum(sizes)


def _summary(extent: tuple[int, int]) -> str:
    return f"{extent[0]:,} files, {size(extent[1])},"
