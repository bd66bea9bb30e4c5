"""Retention of hours (ARCHIVE_RETENTION_DAYS), and the purge of replaced files.

An hour goes as a whole, by a swap manifest without outputs. Replaced files are kept for a while, for a person
who wants them back, and then deleted.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import structlog

from services.archive.manifest import Cause, removal_of, write_manifest
from services.archive.parquet import DamagedFile, UnreadableFile
from services.archive.paths import HOUR_US, REPLACED, hour_text
from services.compactor.prepare import is_prepared
from services.shared.crash_points import CrashPoint, reach
from services.shared.errors import Transient
from services.shared.event import Stream
from services.shared.logging import LogOnce

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.archive.catalog import Catalog

DAY_US = 24 * HOUR_US
KEPT = (Stream.GAPS,)
"""Never removed: small, without personal data, and needed to tell whether the rest is complete."""
_DELETING = ".deleting"
log = structlog.get_logger()
_log_once = LogOnce()


def expired(hours: Iterable[int], days: float, now_us: int) -> list[int]:
    """Return the hours, counted from 1970, that ended more than this many days ago."""
    floor_us = now_us - int(days * DAY_US)
    return sorted(hour for hour in hours if (hour + 1) * HOUR_US <= floor_us)


def retire(root: Path, catalog: Catalog, days: float, now_us: int) -> int:
    """Hand over the removal of every expired hour that holds files; return how many. Raises Transient."""
    retired = 0
    for stream in Stream:
        if stream in KEPT:
            continue
        for hour, names in catalog.all_hours(stream):
            if not expired([hour], days, now_us):
                break
            if is_prepared(root, stream, hour):
                continue
            try:
                write_manifest(root, removal_of(root, stream, hour, names, Cause.RETENTION))
            except FileNotFoundError:
                continue  # it was just replaced; the next round lists it again
            except (DamagedFile, UnreadableFile) as error:
                # A damaged file cannot be accounted for: it stays until a person has looked at it.
                _log_once("retention.refused", str(error))
                continue
            except OSError as error:
                raise Transient(f"cannot hand over {stream} {hour_text(hour)}: {error}") from error
            retired += 1
            log.info("retention.prepared", stream=stream, hour=hour_text(hour), files=len(names))
    return retired


def purge(root: Path, older_than: float) -> int:
    """Delete the files that were replaced before this Unix second; return of how many hours."""
    purged = 0
    try:
        for replaced in sorted((root / REPLACED).glob("*/*")):
            if replaced.stat().st_mtime < older_than:
                reach(CrashPoint.COMPACT_PURGE)
                delete_replaced(replaced)
                reach(CrashPoint.COMPACT_PURGE)
                purged += 1
            elif replaced.suffix == _DELETING:
                shutil.rmtree(replaced)
    except OSError as error:
        raise Transient(f"cannot delete the replaced files of {root}: {error}") from error
    if purged:
        log.info("compact.purged", hours=purged)
    return purged


def delete_replaced(folder: Path) -> None:
    """Delete one folder of replaced files. Raises OSError; after a kill, `purge` completes the deletion.

    The folder is renamed first: deleting files in it would renew its age.
    """
    if folder.suffix != _DELETING:
        folder = folder.rename(folder.with_suffix(_DELETING))
    shutil.rmtree(folder)
