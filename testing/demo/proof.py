"""The proof of a demo: every event of the source is in the archive, exactly once and unaltered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import polars as pl
from rich.table import Table

from testing.proof.audit import StreamAudit, audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from testing.proof.audit import Audit


@dataclass(frozen=True)
class Proof:
    """The audit's result, the sizes, and the row counts of other readers."""

    audit: Audit
    json_bytes: dict[str, int]
    """Bytes of the source's frames by stream, with a line end each."""
    parquet_bytes: dict[str, int]
    """Bytes of the Parquet files by stream."""
    readings: list[tuple[str, int, int]]
    """Code that reads the archive's largest stream, the rows that it found, and the rows expected."""

    @property
    def holds(self) -> bool:
        """Whether nothing is lost, doubled or altered, and the other readers find every row."""
        return (
            self.audit.passed
            and self.truth > 0
            and bool(self.readings)
            and all(found == expected for _, found, expected in self.readings)
        )

    @property
    def truth(self) -> int:
        """Number of events in the source."""
        return sum(stream.truth for stream in self.audit.streams.values())

    @property
    def saved(self) -> float:
        """Share of the JSON's size that Parquet saves, all streams together."""
        return 1 - sum(self.parquet_bytes.values()) / max(1, sum(self.json_bytes.values()))


def prove(root: Path, truth: Iterable[tuple[str, bytes]]) -> Proof:
    """Compare the archive at `root` with the source's frames and their streams."""
    json_bytes: dict[str, int] = {}
    result = audit(root, _measured(truth, json_bytes))
    parquet_bytes = {
        stream: sum(part.stat().st_size for part in (root / "raw" / stream).rglob("*.parquet"))
        for stream in result.streams
    }
    largest = max(result.streams, key=lambda stream: result.streams[stream].truth)
    return Proof(result, json_bytes, parquet_bytes, _readings(root, largest, result.streams[largest].truth))


def table(proof: Proof, origin: str) -> Table:
    """Return the proof as a table; `origin` is the heading of the source's counts."""
    names = (origin, "committed", "lost", "doubled", "altered", "JSON kB", "Parquet kB", "saved")
    rendered = Table("stream", title="The proof: events of the source and rows of the archive")
    for name in names:
        rendered.add_column(name, justify="right")
    for stream, found in proof.audit.streams.items():
        sizes = proof.json_bytes.get(stream, 0), proof.parquet_bytes[stream]
        rendered.add_row(stream, *_cells(found, *sizes), style="bold red" if found.errors else "")
    rendered.add_section()
    whole = _sum(proof.audit.streams.values())
    sizes = sum(proof.json_bytes.values()), sum(proof.parquet_bytes.values())
    rendered.add_row("all", *_cells(whole, *sizes), style="bold")
    return rendered


def _measured(truth: Iterable[tuple[str, bytes]], sizes: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    for stream, frame in truth:
        sizes[stream] = sizes.get(stream, 0) + len(frame) + 1
        yield stream, frame


def _readings(root: Path, stream: str, expected: int) -> list[tuple[str, int, int]]:
    """Run the lines that are shown to the user, as they are shown."""
    sql = f"SELECT count(*) FROM read_parquet('{root}/raw/{stream}/**/*.parquet')"  # noqa: S608 - our own path
    code = f"pl.scan_parquet('{root}/raw/{stream}').select(pl.len()).collect()"
    try:
        ((found,),) = duckdb.execute(sql).fetchall()
    except duckdb.Error:
        found = 0
    try:
        scanned = int(pl.scan_parquet(f"{root}/raw/{stream}").select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError):
        scanned = 0
    return [(f'duckdb.sql("{sql}")', found, expected), (code, scanned, expected)]


def _cells(found: StreamAudit, json_bytes: int, parquet_bytes: int) -> list[str]:
    saved = f"{1 - parquet_bytes / json_bytes:.0%}" if json_bytes else ""
    counts = (found.truth, found.archive, found.lost, found.doubled, found.altered + found.unknown)
    return [
        *(f"{count:,}" for count in counts),
        f"{json_bytes / 1e3:,.0f}",
        f"{parquet_bytes / 1e3:,.0f}",
        saved,
    ]


def _sum(streams: Iterable[StreamAudit]) -> StreamAudit:
    whole = StreamAudit()
    for one in streams:
        whole.truth += one.truth
        whole.archive += one.archive
        whole.lost += one.lost
        whole.doubled += one.doubled
        whole.altered += one.altered
        whole.unknown += one.unknown
    return whole
