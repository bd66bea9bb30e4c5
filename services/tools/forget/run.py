"""The loop of an erasure: what is buffered first becomes files, then files lose their rows, then copies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.archive.checkpoints import watermark_us
from services.archive.paths import HOUR_US
from services.compactor.prepare import is_prepared, sweep
from services.shared.event import Stream
from services.shared.retry import until_done
from services.tools.forget.erase import delete_trash, replace_object, rewrite_hour
from services.tools.forget.search import in_datasets, in_trash
from services.tools.offload.index import indexed
from services.tools.redis_session import Moment, unsettled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.shared.lifecycle import Stopping
    from services.tools.offload.bucket import Bucket
    from services.tools.redis_session import Buffers

LOOK_SECONDS = 1.0
Hours = Counter[tuple[Stream, int]]
"""Rows by stream and hour."""


@dataclass
class Erased:
    """What was where, and what still is."""

    rows: Hours = field(default_factory=Counter)
    """Erased from the datasets."""
    trash: int = 0
    """Rows in folders of the trash that were deleted."""
    objects: Hours = field(default_factory=Counter)
    """Erased in the bucket."""
    open: Hours = field(default_factory=Counter)
    """Still there: these hours may still grow, and are rewritten when they are closed."""


class Forget:
    """Erases rows that meet `wanted`; a writer must run, and the turn must be ours."""

    def __init__(
        self, buffers: Buffers, wanted: Mapping[Stream, str], memory_mb: int, stopping: Stopping
    ) -> None:
        self._buffers = buffers
        self._root = buffers.root
        self._wanted = wanted
        self._memory_mb = memory_mb
        self._stopping = stopping
        self.erased = Erased()

    def run(self, bucket: Bucket | None, told: Callable[[str], None]) -> Erased:
        """Erase until nothing is left that can be erased now, or stopped."""
        told("waiting until the writer has committed what is buffered")
        self._settle()
        sweep(self._root)
        told("rewriting hours")
        while not self._stopping and self._rewrite(told):
            pass
        if self._stopping:
            return self.erased
        if bucket is not None:
            told("looking into the bucket")
            self._replace(bucket)
        told("emptying the trash of it")
        trash = in_trash(self._root, self._wanted, self._memory_mb)
        delete_trash(trash)
        self.erased.trash = sum(trash.values())
        self._buffers.until_done(self._buffers.pusher.rewrite_log)
        return self.erased

    def _settle(self) -> None:
        """Wait until what is in Redis now is committed: its lists are never edited."""
        moment = self._buffers.until_done(lambda: Moment.of(self._buffers.pusher.cursor()))
        while moment is not None and self._waits(moment):
            if self._stopping.sleep(LOOK_SECONDS):
                return

    def _waits(self, moment: Moment) -> bool:
        """Whether something may still be in Redis that was there at that moment."""
        return bool(
            self._buffers.until_done(
                lambda: unsettled(self._buffers.claims, self._root, moment, self._wanted)
            )
        )

    def _rewrite(self, told: Callable[[str], None]) -> bool:
        """Hand over every closed hour that has such rows, and wait for the swaps; whether there were any."""
        rows = self._rows()
        closed = {at for at in rows if (at[1] + 1) * HOUR_US <= watermark_us(self._root)}
        self.erased.open = Counter({at: count for at, count in rows.items() if at not in closed})
        for stream, hour in sorted(closed, key=lambda at: (at[1], at[0])):
            if self._stopping:
                return False
            self._prepare(stream, hour)
        told(f"{len(closed):,} hours are prepared; the writer swaps them in its next round")
        for stream, hour in closed:
            while is_prepared(self._root, stream, hour):
                if self._stopping.sleep(LOOK_SECONDS):
                    return False
        left = self._rows()
        for at in closed:
            self.erased.rows[at] += max(0, rows[at] - left[at])
        # A late part voids a swap: once more then.
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
            if self._stopping.sleep(LOOK_SECONDS):
                return

    def _replace(self, bucket: Bucket) -> None:
        for far in list(indexed(self._root, self._wanted)):
            if self._stopping:
                return
            condition = self._wanted[far.stream]
            rows = until_done(
                lambda far=far, condition=condition: replace_object(  # type: ignore[misc]
                    self._root, bucket, far, condition, self._memory_mb
                ),
                self._stopping,
                lambda _: None,
            )
            if rows:
                self.erased.objects[far.stream, far.hour] += rows
