"""Pure: intervals of event time, and what of them is still to be done."""

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


class Span(NamedTuple):
    """Half open, in Unix microseconds."""

    from_us: int
    to_us: int

    def seconds(self) -> float:
        """Return its length."""
        return (self.to_us - self.from_us) / 1e6

    def __str__(self) -> str:
        return f"{instant_us(self.from_us)} to {instant_us(self.to_us)}"


def minus(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """Return what is left of `spans` without `taken`."""
    left = [span for span in spans if span.to_us > span.from_us]
    for cut in taken:
        left = [
            Span(from_us, to_us)
            for span in left
            for from_us, to_us in (
                (span.from_us, min(span.to_us, cut.from_us)),
                (max(span.from_us, cut.to_us), span.to_us),
            )
            if to_us > from_us
        ]
    return left


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same time in order, without overlaps."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.from_us <= found[-1].to_us:
            found[-1] = Span(found[-1].from_us, max(found[-1].to_us, span.to_us))
        else:
            found.append(span)
    return found


def pieces(span: Span, longest_us: int) -> list[Span]:
    """Cut a span into pieces that end on multiples of `longest_us`, so that another run cuts the same."""
    edges = range((span.from_us // longest_us + 1) * longest_us, span.to_us, longest_us)
    starts = [span.from_us, *edges]
    return [Span(start, end) for start, end in zip(starts, [*edges, span.to_us], strict=True)]


def parts(root: Path, stream: Stream, span: Span) -> Iterator[Path]:
    """Yield the parts of every hour that `span` touches."""
    for hour in range(span.from_us // HOUR_US, -(-span.to_us // HOUR_US)):
        yield from sorted(hour_directory(root, stream, hour).glob("*.parquet"))


def row_groups(root: Path, stream: Stream, span: Span, names: list[str]) -> Iterator[pa.Table]:
    """Yield these columns of every row group of the hours that `span` touches.

    Raises Transient when a part was compacted away meanwhile, and as `open_part` does.
    """
    for path in parts(root, stream, span):
        try:
            with open_part(path, stream) as part:
                for index in range(part.row_groups):
                    yield part.read_row_group(index, names)
        except FileNotFoundError as error:
            raise Transient(f"{path} was compacted meanwhile; looking again") from error
