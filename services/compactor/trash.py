"""What was replaced is kept for a while, for a person who wants it back, and then deleted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import structlog

from services.archive.paths import TRASH
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient

if TYPE_CHECKING:
    from pathlib import Path

log = structlog.get_logger()


def purge(root: Path, older_than: float) -> int:
    """Delete what was thrown away before this Unix second; return how many hours' files."""
    gone = 0
    try:
        for thrown in sorted((root / TRASH).glob("*/*")):
            if thrown.stat().st_mtime < older_than:
                reach(CrashPoint.COMPACT_PURGE)
                # Renamed first: deleting files would make the rest as young as this moment.
                doomed = (
                    thrown if thrown.suffix == ".doomed" else thrown.rename(thrown.with_suffix(".doomed"))
                )
                shutil.rmtree(doomed)
                reach(CrashPoint.COMPACT_PURGE)
                gone += 1
            elif thrown.suffix == ".doomed":
                shutil.rmtree(thrown)
    except OSError as error:
        raise Transient(f"cannot empty the trash of {root}: {error}") from error
    if gone:
        log.info("compact.purged", hours=gone)
    return gone
