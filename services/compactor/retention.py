"""Hours that are older than they are to be kept go, as a whole, by the same door as every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from services.archive.manifest import Cause, removal_of, write_manifest
from services.archive.parquet import DamagedFile
from services.archive.paths import HOUR_US, hour_text
from services.compactor.prepare import is_prepared
from services.shared.errors import Transient
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.archive.catalog import Catalog

DAY_US = 24 * HOUR_US
KEPT = (Stream.GAPS,)
"""Small, of nobody's making, and what tells whether the rest is whole."""
log = structlog.get_logger()


def expired(hours: Iterable[int], days: float, now_us: int) -> list[int]:
    """Return the hours, counted from 1970, that ended longer ago than so many days."""
    floor_us = now_us - int(days * DAY_US)
    return sorted(hour for hour in hours if (hour + 1) * HOUR_US <= floor_us)


def retire(root: Path, catalog: Catalog, days: float, now_us: int) -> int:
    """Hand over the removal of every expired hour that holds files; returns how many. Raises Transient."""
    retired = 0
    for stream in Stream:
        if stream in KEPT:
            continue
        names = catalog.names(stream)
        for hour in expired(names, days, now_us):
            if is_prepared(root, stream, hour):
                continue
            try:
                write_manifest(root, removal_of(root, stream, hour, names[hour], Cause.RETENTION))
            except FileNotFoundError:
                continue  # it was just replaced: next time
            except DamagedFile as error:
                # A damaged file cannot be accounted for: a person is to look at it first.
                log.error("retention.refused", error=str(error))  # noqa: TRY400 - the message is the mend
                continue
            except OSError as error:
                raise Transient(f"cannot hand over {stream} {hour_text(hour)}: {error}") from error
            retired += 1
            log.info("retention.prepared", stream=stream, hour=hour_text(hour), files=len(names[hour]))
    return retired
