"""Intervals of event time, and the rows that the archive has of an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.archive.parquet import open_part
from services.archive.paths import HOUR_US, hour_directory
from services.shared.errors import Transient
from services.tools.console import instant_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from services.shared.event import Stream


class Interval(NamedTuple):
    """A half-open interval in Unix microseconds."""

    from_us: int
    to_us: int

    def seconds(self) -> float:
        """Return its length in seconds."""
        return (self.to_us - self.from_us) / 1e6

    def __str__(self) -> str:
        return f"{instant_us(self.from_us)} to {instant_us(self.to_us)}"


def minus(intervals: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """Return `intervals` without `taken`. Pure."""
    left = [interval for interval in intervals if interval.to_us > interval.from_us]
    for cut in taken:
        left = [
            Interval(from_us, to_us)
            for interval in left
            for from_us, to_us in (
                (interval.from_us, min(interval.to_us, cut.from_us)),
                (max(interval.from_us, cut.to_us), interval.to_us),
            )
            if to_us > from_us
        ]
    return left


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union of the intervals, in order. Pure."""
    found: list[Interval] = []
    for interval in sorted(intervals):
        if found and interval.from_us <= found[-1].to_us:
            found[-1] = Interval(found[-1].from_us, max(found[-1].to_us, interval.to_us))
        else:
            found.append(interval)
    return found


def pieces(interval: Interval, longest_us: int) -> list[Interval]:
    """Cut an interval at multiples of `longest_us`, so that every run cuts at the same times. Pure."""
    edges = range((interval.from_us // longest_us + 1) * longest_us, interval.to_us, longest_us)
    starts = [interval.from_us, *edges]
    return [Interval(start, end) for start, end in zip(starts, [*edges, interval.to_us], strict=True)]


def parts(root: Path, stream: Stream, interval: Interval) -> Iterator[Path]:
    """Yield the files of a stream in every hour that the interval overlaps."""
    for hour in range(interval.from_us // HOUR_US, -(-interval.to_us // HOUR_US)):
        yield from sorted(hour_directory(root, stream, hour).glob("*.parquet"))


def row_groups(root: Path, stream: Stream, interval: Interval, names: list[str]) -> Iterator[pa.Table]:
    """Yield columns of every row group in the hours that the interval overlaps.

    Raises Transient when a file was compacted meanwhile, and what `open_part` raises.
    """
    for path in parts(root, stream, interval):
        try:
            with open_part(path, stream) as part:
                for index in range(part.row_groups):
                    yield part.read_row_group(index, names)
        except FileNotFoundError as error:
            raise Transient(f"{path} was compacted meanwhile; the hour is read again") from error
