"""Makes archives with the writer's code, and coverage tables as the compactor writes them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.archive import coverage
from services.archive.checkpoints import write_checkpoint
from services.archive.paths import HOUR_US
from services.compactor.coverage import refresh_coverage
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from pathlib import Path

START_US = 1_790_006_400_000_000
"""An hour's beginning, 2026-09-21T16:00Z."""
START_HOUR = START_US // HOUR_US
ORIGIN = ChunkOrigin(writer_version="1", epoch="1", host="wss://host.test")


def events(
    count: int, *, first_us: int = START_US, rate: float = 1.0, seed: int = 11
) -> dict[Stream, list[bytes]]:
    """Return realistic events by stream; at a rate of 1 a second, 3600 are an hour."""
    found: dict[Stream, list[bytes]] = defaultdict(list)
    for frame in Traffic(seed, first_us, rate, count).truth(HostView()):
        found[Stream(stream_of(frame))].append(frame)
    return found


def write(root: Path, stream: Stream, elements: list[bytes]) -> tuple[Path, ...]:
    """Commit one chunk."""
    return commit(root, encode(stream, elements, ORIGIN.host), ORIGIN).paths


def archive(root: Path, by_stream: dict[Stream, list[bytes]], *, chunk: int = 1000) -> Path:
    """Commit events in chunks; returns the root."""
    root.mkdir(exist_ok=True)
    (root / ".state").mkdir()
    (root / ".state/id").write_text("0123456789abcdef", encoding="ascii")
    for stream, elements in by_stream.items():
        for at in range(0, len(elements), chunk):
            write(root, stream, elements[at : at + chunk])
    return root


def close_hours(root: Path) -> Path:
    """Let all streams have passed two hours after the last event, and judge the hours; returns the root."""
    (root / ".state/checkpoints").mkdir(parents=True, exist_ok=True)
    cursor = Cursor(time_us=START_US + 4 * HOUR_US, epoch=1, push=1)
    for stream in Stream:
        write_checkpoint(root, stream, cursor.encode())
    refresh_coverage(root, cursor.time_us)
    return root


def note_gaps(root: Path, *intervals: tuple[int, int], reason: GapReason = GapReason.CURSOR_TOO_OLD) -> None:
    """Commit rows of `gaps`, given as seconds after the start."""
    rows = [
        Gap(START_US + begin * 1_000_000, START_US + end * 1_000_000, reason, "wss://host.test", START_US)
        for begin, end in intervals
    ]
    write(root, Stream.GAPS, [row.encode() for row in rows])


def cover(root: Path, *rows: dict[str, Any]) -> None:
    """Write the coverage table of these hours; a row needs `hour`, `stream` and `state`."""
    days: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        start = datetime.fromtimestamp(row["hour"] * 3600, UTC)
        whole = dict.fromkeys(coverage.SCHEMA.names, 0) | {"first_us": None, "last_us": None}
        whole |= row | {"hour": start, "updated_at": start}
        days[start.strftime("year=%Y/month=%m/day=%d")].append(whole)
    for day, reported in days.items():
        path = root / "coverage" / day / "coverage.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(reported, coverage.SCHEMA), path)
