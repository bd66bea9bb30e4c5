"""Archives to compact: events committed by the writer's code, without its process."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from services.archive.checkpoints import read_checkpoints, write_checkpoint
from services.archive.paths import HOUR_US
from services.archive.swap import swap_prepared
from services.compactor.hour_compactor import HourCompactor
from services.compactor.settings import CompactorSettings
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.cursor import Cursor
from services.shared.event import Stream
from services.shared.lifecycle import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.compactor.hour_compactor import CompactionReport

BORDER_US = 1_790_000_000_000_000 // HOUR_US * HOUR_US
"""The beginning of an hour."""

StreamFrame = tuple[str, bytes]
"""An event's stream and JSON."""


def put(
    root: Path, events: Iterable[StreamFrame], *, epoch: int = 1, host: str = "one", chunk: int = 1000
) -> None:
    """Commit events in chunks, as received in one epoch from one host; each call follows the one before."""
    root.mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[bytes]] = defaultdict(list)
    for stream, frame in events:
        lists[stream].append(frame)
    push = 1 + max((cursor.push for cursor in read_checkpoints(root).values()), default=0)
    cursor = Cursor(time_us=BORDER_US, epoch=epoch, push=push, host=host)
    origin = ChunkOrigin(epoch=str(epoch), host=host, last_cursor=cursor.encode().decode())
    for stream, frames in lists.items():
        for at in range(0, len(frames), chunk):
            commit(root, encode(Stream(stream), frames[at : at + chunk], host), origin)
    advance(root, cursor)


def advance(root: Path, cursor: Cursor) -> None:
    """Move all checkpoints."""
    (root / ".state/checkpoints").mkdir(parents=True, exist_ok=True)
    for stream in Stream:
        write_checkpoint(root, stream, cursor.encode())


def hour_compactor(root: Path, **settings: Any) -> HourCompactor:
    """Return the hour compactor of an archive, with settings that differ from `settings_of`."""
    return HourCompactor(settings_of(root, **settings), Stopping(), lambda: None)


def settings_of(root: Path, **settings: Any) -> CompactorSettings:
    """Return a compactor's settings for an archive."""
    usual: dict[str, Any] = {
        "archive_disk_free_min_mb": 10,
        "compact_jetstream_url": "http://127.0.0.1:1/healthz",
    }
    return CompactorSettings(archive_root=root, **usual | settings)


def compact(root: Path, hours: HourCompactor | None = None) -> CompactionReport:
    """Prepare and swap, as a compactor and a writer without claims do, until nothing is due."""
    hours = hours or hour_compactor(root)
    while True:
        found = hours.run(close_all=True)
        for stream in Stream:
            for _ in swap_prepared(root, stream):
                pass
        if not found.prepared:
            return found
