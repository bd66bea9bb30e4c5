"""The loop of an erasure.

Waits until buffered events are committed, then erases rows from files and copies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.archive.checkpoints import watermark_us
from services.archive.paths import HOUR_US
from services.compactor.prepare import is_prepared, sweep
from services.shared.event import Stream
from services.shared.retry import until_done
from services.tools.forget.erase import delete_replaced_files, replace_object, rewrite_hour
from services.tools.forget.search import in_datasets, in_replaced
from services.tools.offload.index import indexed
from services.tools.redis_session import Position, uncommitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.shared.lifecycle import Stopping
    from services.tools.offload.bucket import Bucket
    from services.tools.redis_session import RedisSession

POLL_SECONDS = 1.0
Hours = Counter[tuple[Stream, int]]
"""Rows by stream and hour."""


@dataclass
class ErasureReport:
    """Numbers of rows that were erased, and that are left."""

    rows: Hours = field(default_factory=Counter)
    """Erased from files of the streams."""
    replaced: int = 0
    """Rows in folders of replaced files that were deleted."""
    objects: Hours = field(default_factory=Counter)
    """Erased in the bucket."""
    open: Hours = field(default_factory=Counter)
    """Left in hours that are not closed yet."""


class Forget:
    """Erases rows that match `wanted`. A writer must run, and the compactor's lock must be held."""

    def __init__(
        self, session: RedisSession, wanted: Mapping[Stream, str], memory_mb: int, stopping: Stopping
    ) -> None:
        self._session = session
        self._root = session.root
        self._wanted = wanted
        self._memory_mb = memory_mb
        self._stopping = stopping
        self.erased = ErasureReport()

    def run(self, bucket: Bucket | None, report: Callable[[str], None]) -> ErasureReport:
        """Erase until no row is left in closed hours, or stopped; `report` is called with each step."""
        report("waiting until the writer has committed buffered events")
        self._wait_committed()
        sweep(self._root)
        report("rewriting hours")
        while not self._stopping and self._rewrite(report):
            pass
        if self._stopping:
            return self.erased
        if bucket is not None:
            report("searching the bucket")
            self._replace(bucket)
        report("deleting replaced files")
        replaced = in_replaced(self._root, self._wanted, self._memory_mb)
        delete_replaced_files(replaced)
        self.erased.replaced = sum(replaced.values())
        self._session.until_done(self._session.pusher.rewrite_log)
        return self.erased

    def _wait_committed(self) -> None:
        """Wait until events that are in Redis now are committed: its lists are never edited."""
        position = self._session.until_done(lambda: Position.of(self._session.pusher.cursor()))
        while position is not None and self._waits(position):
            if self._stopping.sleep(POLL_SECONDS):
                return

    def _waits(self, position: Position) -> bool:
        """Whether events that were in Redis at that position may be uncommitted."""
        return bool(
            self._session.until_done(
                lambda: uncommitted(self._session.claims, self._root, position, self._wanted)
            )
        )

    def _rewrite(self, report: Callable[[str], None]) -> bool:
        """Rewrite every closed hour with such rows and wait for the swaps; return whether rows are left."""
        rows = self._rows()
        closed = {at for at in rows if (at[1] + 1) * HOUR_US <= watermark_us(self._root)}
        self.erased.open = Counter({at: count for at, count in rows.items() if at not in closed})
        for stream, hour in sorted(closed, key=lambda at: (at[1], at[0])):
            if self._stopping:
                return False
            self._prepare(stream, hour)
        report(f"{len(closed):,} hours are prepared; the writer swaps them in its next round")
        for stream, hour in closed:
            while is_prepared(self._root, stream, hour):
                if self._stopping.sleep(POLL_SECONDS):
                    return False
        left = self._rows()
        for at in closed:
            self.erased.rows[at] += max(0, rows[at] - left[at])
        # A late part cancels a swap; the hour is rewritten again then.
        return any(left[at] for at in closed)

    def _rows(self) -> Hours:
        found = until_done(
            lambda: in_datasets(self._root, self._wanted, self._memory_mb), self._stopping, lambda _: None
        )
        rows: Hours = Counter()
        for held in found or ():
            rows[held.stream, held.hour] += held.rows
        return rows

    def _prepare(self, stream: Stream, hour: int) -> None:
        condition = self._wanted[stream]
        while not until_done(
            lambda: rewrite_hour(self._root, stream, hour, condition, self._memory_mb),
            self._stopping,
            lambda _: None,
        ):
            if self._stopping.sleep(POLL_SECONDS):
                return

    def _replace(self, bucket: Bucket) -> None:
        for remote in list(indexed(self._root, self._wanted)):
            if self._stopping:
                return
            condition = self._wanted[remote.stream]
            rows = until_done(
                lambda remote=remote, condition=condition: replace_object(  # type: ignore[misc]
                    self._root, bucket, remote, condition, self._memory_mb
                ),
                self._stopping,
                lambda _: None,
            )
            if rows:
                self.erased.objects[remote.stream, remote.hour] += rows
