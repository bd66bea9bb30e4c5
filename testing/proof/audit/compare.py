"""Holds an archive against a truth: what is lost, doubled, altered or strange."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testing.proof.audit.canonical import Event, canonical, digest, digest_bytes, identity, parse
from testing.proof.audit.rebuild import count_rows, rebuild_events, rebuild_frames

if TYPE_CHECKING:
    from pathlib import Path

EVENT_STREAMS = ("posts", "likes", "reposts", "follows", "records", "identities", "accounts")

Truth = Mapping[Any, Iterable[Event | bytes]] | Iterable[tuple[str, Event | bytes]]
"""Events (or their JSON) by stream; under `rejects`, the bytes of the frames that had to be rejected."""

_EXAMPLES = 5
_FOUND = b""
"""Takes the place of an event's digest once a row has been seen for it."""


@dataclass(slots=True)
class StreamAudit:
    """The verdict on one stream, in events."""

    truth: int = 0
    """Distinct events there were."""
    archive: int = 0
    """Rows there are."""
    lost: int = 0
    """Events without a row."""
    doubled: int = 0
    """Rows beyond the first of an event."""
    altered: int = 0
    """Rows of an event that give another event back."""
    strangers: int = 0
    """Rows of no event of the truth."""
    examples: list[str] = field(default_factory=list)
    """Some of each fault, for a person to look at."""

    @property
    def faults(self) -> int:
        """How many events or rows are not as they should be."""
        return self.lost + self.doubled + self.altered + self.strangers


@dataclass(slots=True)
class Audit:
    """The verdict on an archive."""

    streams: dict[str, StreamAudit]
    """Every stream of events, and `rejects` if the truth speaks of it."""
    uncompared: dict[str, int]
    """Rows of the streams that the truth does not speak of: `gaps`, and `rejects` otherwise."""

    @property
    def faults(self) -> int:
        """How many events or rows are not as they should be."""
        return sum(stream.faults for stream in self.streams.values())

    @property
    def passed(self) -> bool:
        """Whether the archive holds the truth, whole, once and nothing else."""
        return self.faults == 0

    def __str__(self) -> str:
        """List the streams that have faults, with examples."""
        if self.passed:
            total = sum(stream.truth for stream in self.streams.values())
            return f"{total} events, each there once and unaltered"
        return "\n".join(
            f"{name}: {stream.lost} lost, {stream.doubled} doubled, {stream.altered} altered, "
            f"{stream.strangers} strangers\n  " + "\n  ".join(stream.examples)
            for name, stream in self.streams.items()
            if stream.faults
        )


def audit(root: Path, truth: Truth, *, ignore_host_fields: bool = False) -> Audit:
    """Compare an archive with what it should hold.

    The truth is read once, and may name an event twice (as two hosts tell it: either is right then). Keeps
    some 250 bytes an event. `ignore_host_fields` leaves `time_us` and `cursor` out, for an archive made from
    several hosts.
    """
    expected: dict[str, dict[bytes, bytes]] = {stream: {} for stream in EVENT_STREAMS}
    for stream, told in _pairs(truth):
        of_stream = expected.setdefault(stream, {})
        key, content = _digests(told, stream, ignore_host_fields=ignore_host_fields)
        known = of_stream.get(key, b"")
        of_stream[key] = known if content in _each(known) else known + content
    streams = {
        stream: _compare(root, stream, of_stream, ignore_host_fields=ignore_host_fields)
        for stream, of_stream in expected.items()
    }
    uncompared = {stream: count_rows(root, stream) for stream in ("rejects", "gaps") if stream not in streams}
    return Audit(streams, uncompared)


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
        told = expected.get(key)
        if told is None:
            verdict.strangers += 1
            _note(verdict, "stranger", verdict.strangers, row)
        elif told == _FOUND:
            verdict.doubled += 1
            _note(verdict, "doubled", verdict.doubled, row)
        else:
            expected[key] = _FOUND
            if content not in _each(told):
                verdict.altered += 1
                _note(verdict, "altered", verdict.altered, row)
    for number, told in enumerate(expected.values()):
        if told != _FOUND:
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


def _digests(told: Event | bytes, stream: str, *, ignore_host_fields: bool) -> tuple[bytes, bytes]:
    """Return the digests of what identifies an event and of the whole of it."""
    if stream == "rejects":
        frame = told if isinstance(told, bytes) else canonical(told).encode()
        return digest_bytes(frame), digest_bytes(frame)
    event: Event = parse(told) if isinstance(told, bytes) else told
    return digest_bytes(canonical(identity(event)).encode()), digest(
        event, ignore_host_fields=ignore_host_fields
    )


def _each(digests: bytes) -> list[bytes]:
    return [digests[start : start + 16] for start in range(0, len(digests), 16)]


def _note(verdict: StreamAudit, fault: str, count: int, row: Event | bytes) -> None:
    if count <= _EXAMPLES:
        told = repr(row) if isinstance(row, bytes) else canonical(row)
        verdict.examples.append(f"{fault}: {told[:600]}")
