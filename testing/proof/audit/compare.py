"""Compares an archive with a truth: events that are lost, doubled or altered, and rows of unknown events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from services.tools.query.rebuild import rebuild
from testing.proof.audit.canonical import Event, canonical, digest, digest_bytes, identity, parse

if TYPE_CHECKING:
    from pathlib import Path

EVENT_STREAMS = ("posts", "likes", "reposts", "follows", "records", "identities", "accounts")

Truth = Mapping[Any, Iterable[Event | bytes]] | Iterable[tuple[str, Event | bytes]]
"""Events (or their JSON) by stream; under `rejects`, the bytes of the frames that had to be rejected."""

_EXAMPLES = 5
_ROWS_AT_ONCE = 20_000
_FOUND = b""
"""Replaces the digests of an event for which a row was found."""


@dataclass(slots=True)
class StreamAudit:
    """The result for one stream, in events."""

    truth: int = 0
    """Distinct events of the truth."""
    archive: int = 0
    """Rows of the archive."""
    lost: int = 0
    """Events without a row."""
    doubled: int = 0
    """Rows beyond the first of an event."""
    altered: int = 0
    """Rows from which a different event is rebuilt."""
    unknown: int = 0
    """Rows of events that are not in the truth."""
    examples: list[str] = field(default_factory=list)
    """A few examples of each kind of error."""

    @property
    def errors(self) -> int:
        """The number of wrong events and rows."""
        return self.lost + self.doubled + self.altered + self.unknown


@dataclass(slots=True)
class Audit:
    """The result for an archive."""

    streams: dict[str, StreamAudit]
    """Every stream of events, and `rejects` if the truth has it."""
    uncompared: dict[str, int]
    """Rows of the streams that the truth does not have: `gaps`, and perhaps `rejects`."""

    @property
    def errors(self) -> int:
        """The number of wrong events and rows."""
        return sum(stream.errors for stream in self.streams.values())

    @property
    def passed(self) -> bool:
        """Whether the archive holds every event of the truth unaltered and once, and nothing else."""
        return self.errors == 0

    def __str__(self) -> str:
        """List the streams with errors, and examples."""
        if self.passed:
            total = sum(stream.truth for stream in self.streams.values())
            return f"{total} events, each archived once and unaltered"
        return "\n".join(
            f"{name}: {stream.lost} lost, {stream.doubled} doubled, {stream.altered} altered, "
            f"{stream.unknown} unknown\n  " + "\n  ".join(stream.examples)
            for name, stream in self.streams.items()
            if stream.errors
        )


def audit(root: Path, truth: Truth, *, ignore_host_fields: bool = False) -> Audit:
    """Compare an archive with the truth.

    The truth is read once, and may have an event twice, as two hosts send it: then either is right. Uses
    about 250 bytes of memory per event. `ignore_host_fields` ignores `time_us` and `cursor`, for an archive
    that was read from several hosts.
    """
    expected: dict[str, dict[bytes, bytes]] = {stream: {} for stream in EVENT_STREAMS}
    for stream, event in _pairs(truth):
        of_stream = expected.setdefault(stream, {})
        key, content = _digests(event, stream, ignore_host_fields=ignore_host_fields)
        known = of_stream.get(key, b"")
        of_stream[key] = known if content in _each(known) else known + content
    streams = {
        stream: _compare(root, stream, of_stream, ignore_host_fields=ignore_host_fields)
        for stream, of_stream in expected.items()
    }
    uncompared = {stream: count_rows(root, stream) for stream in ("rejects", "gaps") if stream not in streams}
    return Audit(streams, uncompared)


def rebuild_events(root: Path, stream: str) -> Iterator[Event]:
    """Yield the rebuilt event of every row of a stream, duplicates included, in no particular order."""
    for row in _rows(root, stream):
        yield rebuild(stream, row, parse, parse)


def rebuild_frames(root: Path) -> Iterator[bytes]:
    """Yield the frame of every row of `rejects`."""
    for row in _rows(root, "rejects"):
        yield row["frame"]


def count_rows(root: Path, stream: str) -> int:
    """Return the number of rows of a stream."""
    if not any((root / "raw" / stream).glob("**/*.parquet")):
        return 0
    with _connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [_pattern(root, stream)]
        ).fetchone()
    assert found is not None
    return int(found[0])


def _compare(
    root: Path, stream: str, expected: dict[bytes, bytes], *, ignore_host_fields: bool
) -> StreamAudit:
    verdict = StreamAudit(truth=len(expected))
    rows: Iterator[Event | bytes] = (
        rebuild_frames(root) if stream == "rejects" else rebuild_events(root, stream)
    )
    for row in rows:
        verdict.archive += 1
        key, content = _digests(row, stream, ignore_host_fields=ignore_host_fields)
        digests = expected.get(key)
        if digests is None:
            verdict.unknown += 1
            _note(verdict, "unknown", verdict.unknown, row)
        elif digests == _FOUND:
            verdict.doubled += 1
            _note(verdict, "doubled", verdict.doubled, row)
        else:
            expected[key] = _FOUND
            if content not in _each(digests):
                verdict.altered += 1
                _note(verdict, "altered", verdict.altered, row)
    for number, digests in enumerate(expected.values()):
        if digests != _FOUND:
            verdict.lost += 1
            if verdict.lost <= _EXAMPLES:
                verdict.examples.append(f"lost: event {number} of the truth of {stream}, counted from 0")
    return verdict


def _pairs(truth: Truth) -> Iterator[tuple[str, Event | bytes]]:
    if isinstance(truth, Mapping):
        for stream, events in truth.items():
            for event in events:
                yield str(stream), event
    else:
        yield from truth


def _digests(value: Event | bytes, stream: str, *, ignore_host_fields: bool) -> tuple[bytes, bytes]:
    """Return the digest of an event's identity, and that of its whole content."""
    if stream == "rejects":
        frame = value if isinstance(value, bytes) else canonical(value).encode()
        return digest_bytes(frame), digest_bytes(frame)
    event: Event = parse(value) if isinstance(value, bytes) else value
    return digest_bytes(canonical(identity(event)).encode()), digest(
        event, ignore_host_fields=ignore_host_fields
    )


def _each(digests: bytes) -> list[bytes]:
    return [digests[start : start + 16] for start in range(0, len(digests), 16)]


def _note(verdict: StreamAudit, error: str, count: int, row: Event | bytes) -> None:
    if count <= _EXAMPLES:
        text = repr(row) if isinstance(row, bytes) else canonical(row)
        verdict.examples.append(f"{error}: {text[:600]}")


def _rows(root: Path, stream: str) -> Iterator[dict[str, Any]]:
    if not any((root / "raw" / stream).glob("**/*.parquet")):
        return
    with _connect() as connection:
        parts = connection.read_parquet(_pattern(root, stream), hive_partitioning=False, union_by_name=True)
        columns = [
            f'epoch_us("{name}") AS "{name}"' if str(kind).startswith("TIMESTAMP") else f'"{name}"'
            for name, kind in zip(parts.columns, parts.types, strict=True)
            if name != "event_time"
        ]
        for batch in parts.project(", ".join(columns)).to_arrow_reader(_ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _connect() -> duckdb.DuckDBPyConnection:
    """Open an in-memory database without progress bars."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    return connection


def _pattern(root: Path, stream: str) -> str:
    return str(root / "raw" / stream / "**" / "*.parquet")
