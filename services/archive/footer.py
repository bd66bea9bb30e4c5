"""The values in the footer of a part or a compacted file: counts of rows by epoch, and their source chunks.

Pure. The rows of a part have one epoch and one source stream; those of a compacted file may have several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from services.archive.paths import parse_name
from services.shared.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
Counts = dict[str, dict[str, int]]
"""Number of rows by epoch, and by the source stream: the stream whose buffer they came from."""

COMPACTED = "archive.compacted"
ROWS_BY_EPOCH = "archive.rows_by_epoch"
REMOVED_BY_EPOCH = "archive.removed_by_epoch"
DUPLICATES = "archive.duplicates"
"""Number of duplicates that were removed from the file's hour in all its compactions."""
SOURCES = "archive.sources"
COMPARED = "archive.compared"
"""Ids of the chunks in earlier hours that a compacted file's hour was compared with."""


class FooterError(BadInput):
    """A footer without the values that this archive's files have; the message does not name the file."""


class SourceChunk(msgspec.Struct, frozen=True, array_like=True):
    """A chunk that a file has rows of, as it was committed."""

    chunk: str
    stream: str
    """Source stream."""
    epoch: int
    push: int
    """Number of the last push before the round of its commit."""
    host: str
    first_us: int
    last_us: int


class _Cursor(msgspec.Struct):
    push: int = 0


def rows_by_epoch(footer: Mapping[str, str]) -> Counts:
    """Return the number of rows by epoch and source stream; empty without the keys of this archive."""
    if COMPACTED in footer:
        return _decoded(footer.get(ROWS_BY_EPOCH, "{}"), Counts)
    if "archive.epoch" not in footer:
        return {}
    try:
        return {footer["archive.epoch"]: {footer["archive.source_stream"]: int(footer["archive.rows"])}}
    except (KeyError, ValueError) as error:
        raise FooterError(f"its footer is not one of this archive's: {error!r}") from error


def removed_by_epoch(footer: Mapping[str, str]) -> Counts:
    """Return the number of rows that were removed from the hour in all its compactions and rewrites."""
    return _decoded(footer.get(REMOVED_BY_EPOCH, "{}"), Counts)


def duplicates(footer: Mapping[str, str]) -> int:
    """Return how many rows the file's hour lost as duplicates."""
    return _decoded(footer.get(DUPLICATES, "0"), int)


def compared(footer: Mapping[str, str]) -> frozenset[str]:
    """Return the ids of the chunks that the file's hour was compared with."""
    return _decoded(footer.get(COMPARED, "[]"), frozenset[str])


def accounted(footer: Mapping[str, str]) -> Counts:
    """Return the number of rows that the ledger counts for the file: present ones and removed ones."""
    return total(rows_by_epoch(footer), removed_by_epoch(footer))


def sources(footer: Mapping[str, str], name: str) -> tuple[SourceChunk, ...]:
    """Return the chunks that a file has rows of. Raises FooterError for a name or footer of another kind."""
    try:
        if COMPACTED in footer:
            return msgspec.json.decode(footer[SOURCES], type=tuple[SourceChunk, ...])
        part = parse_name(name)
        if part is not None:
            cursor = msgspec.json.decode(footer["archive.last_cursor"] or "{}", type=_Cursor)
            stream, epoch = footer["archive.source_stream"], int(footer["archive.epoch"] or 0)
            host = footer.get("archive.host", "")
            return (SourceChunk(part.id, stream, epoch, cursor.push, host, part.first_us, part.last_us),)
    except (KeyError, ValueError) as error:
        raise FooterError(f"the footer of {name} is not one of this archive's: {error!r}") from error
    raise FooterError(f"{name} is not the name of a part")


def total(*parts: Mapping[str, Mapping[str, int]]) -> Counts:
    """Return the sum of counts."""
    found: Counts = {}
    for counts in parts:
        for epoch, streams in counts.items():
            of_epoch = found.setdefault(epoch, {})
            for stream, rows in streams.items():
                of_epoch[stream] = of_epoch.get(stream, 0) + rows
    return found


def split(counts: Counts, rows: int) -> tuple[Counts, Counts]:
    """Take a number of rows from counts, the newest epochs first; return the counts taken and those left.

    Rows of a compacted file do not state their epoch. Duplicates come from reading again, in a newer epoch.
    """
    taken: Counts = {}
    left = total(counts)
    for epoch in sorted(left, key=int, reverse=True):
        for stream in sorted(left[epoch]):
            share = min(rows, left[epoch][stream])
            if share:
                taken.setdefault(epoch, {})[stream] = share
                left[epoch][stream] -= share
                rows -= share
    return taken, left


def rows_in(counts: Mapping[str, Mapping[str, int]]) -> int:
    """Return the number of rows of all epochs and source streams."""
    return sum(rows for streams in counts.values() for rows in streams.values())


def _decoded(text: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise FooterError(f"its footer cannot be read: {text[:80]!r}") from error
