"""Path 6: bytes per event on disk, before and after compaction, compared with raw and compressed JSON."""

from __future__ import annotations

import gzip
from collections import defaultdict
from typing import TYPE_CHECKING

import zstandard

from services.archive.catalog import read_file
from services.archive.paths import hour_of
from services.archive.schema import Codec, Compression
from services.compactor.job import Job, MergeLimits
from services.compactor.merge import merge
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.event import Stream
from testing.performance.bench.frames import RATE
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from services.data_writer.encoding.encode import EncodedChunk
    from testing.performance.bench.frames import Frames
    from testing.performance.bench.run import BenchRun

JSON, GZIP, ZSTD, COMPACTED = "raw JSON", "gzip'd JSON lines", "zstd'd JSON lines", "Parquet zstd, compacted"
GZIP_LEVEL, LEVEL = 6, 3
ROUND = round(RATE * 300)
"""Events of five minutes, the writer's interval."""
CHUNK = 100_000
ALL = "all streams"
BEFORE, AFTER = 0.80, 0.84
"""Goals: share of raw JSON's size that is saved."""
ORIGIN = ChunkOrigin(writer_version="bench", epoch="1", host="jetstream.bench", last_cursor='{"push":1}')
Sizes = dict[Stream, int]
"""Bytes by stream."""


def run(bench: BenchRun) -> Outcome:
    """Write the events in every form. Sizes have no spread: they are the same at every repeat."""
    frames = bench.frames
    batches = in_batches(frames)
    sizes = {JSON: {stream: sum(map(len, events)) for stream, events in frames.by_stream.items()}}
    sizes[GZIP] = _summed(batches, lambda lines: len(gzip.compress(lines, GZIP_LEVEL)))
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    sizes[ZSTD] = _summed(batches, lambda lines: len(compressor.compress(lines)))
    bench.note(f"JSON lines compressed, {len(batches)} files")
    encoded = [
        encode(stream, events[at : at + CHUNK])
        for stream, events in batches
        for at in range(0, len(events), CHUNK)
    ]
    for codec in Codec:
        root = bench.folder / codec
        root.mkdir()
        sizes[f"Parquet {codec}"] = write_parts(root, encoded, codec)
        bench.note(f"parts written with {codec}")
    sizes[COMPACTED] = compacted(bench.folder / Codec.ZSTD, bench.folder / "merged")
    return _outcome(frames, sizes, len(batches))


def in_batches(frames: Frames) -> list[tuple[Stream, list[bytes]]]:
    """Return the events by round and stream, as the writer commits them every five minutes."""
    found: dict[tuple[int, Stream], list[bytes]] = defaultdict(list)
    for at, (stream, event) in enumerate(frames):
        found[at // ROUND, stream].append(event)
    return [(stream, events) for (_, stream), events in found.items()]


def write_parts(root: Path, encoded: Iterable[EncodedChunk], codec: Codec) -> Sizes:
    """Commit the chunks like the writer; returns the bytes of their files."""
    sizes: Sizes = defaultdict(int)
    for one in encoded:
        sizes[one.chunk.stream] += commit(root, one, ORIGIN, Compression(codec, _level(codec))).bytes
    return sizes


def compacted(root: Path, folder: Path) -> Sizes:
    """Merge every hour of an archive like the compactor; returns the bytes of the merged files."""
    sizes: Sizes = defaultdict(int)
    for directory in sorted(root.glob("raw/*/year=*/month=*/day=*/hour=*")):
        stream, hour = Stream(directory.relative_to(root).parts[1]), hour_of(directory)
        assert hour is not None
        files = tuple(read_file(path, stream) for path in sorted(directory.iterdir()))
        job = Job(
            stream=stream, hour=hour, directory=directory, files=files, earlier=(), compared=frozenset()
        )
        target = folder / stream / str(hour)
        target.mkdir(parents=True)
        outputs = merge(job, target, folder / "scratch", MergeLimits()).outputs
        assert sum(output.rows for output in outputs) == sum(file.rows for file in files)
        sizes[stream] += sum(path.stat().st_size for path in target.iterdir())
    return sizes


def _level(codec: Codec) -> int | None:
    return {Codec.ZSTD: LEVEL, Codec.GZIP: GZIP_LEVEL}.get(codec)


def _summed(batches: Iterable[tuple[Stream, list[bytes]]], size_of: Callable[[bytes], int]) -> Sizes:
    sizes: Sizes = defaultdict(int)
    for stream, events in batches:
        sizes[stream] += size_of(b"\n".join(events) + b"\n")
    return sizes


def _outcome(frames: Frames, sizes: dict[str, Sizes], batches: int) -> Outcome:
    counts = {stream: len(events) for stream, events in frames.by_stream.items()}
    outcome = Outcome(6, "On the disk, bytes an event", ("form", *counts, ALL, "smaller than JSON"))
    whole = {form: sum(of_stream.values()) for form, of_stream in sizes.items()}
    smaller = {form: 1 - size / whole[JSON] for form, size in whole.items()}
    for form, of_stream in sizes.items():
        cells = [f"{of_stream[stream] / count:.1f}" for stream, count in counts.items()]
        outcome.rows.append((form, *cells, f"{whole[form] / frames.events:.1f}", f"{smaller[form]:.1%}"))
    outcome.goals += [
        Goal("smaller than raw JSON, before compaction", spread([smaller["Parquet zstd"]]), BEFORE, "{:.1%}"),
        Goal("smaller than raw JSON, after compaction", spread([smaller[COMPACTED]]), AFTER, "{:.1%}"),
    ]
    outcome.notes.append(
        f"{frames.events:,} events in files as at the network's {RATE:.0f} events/s: one a stream and five "
        f"minutes, thus {ROUND:,} events of all streams together; {batches} files. zstd is level {LEVEL}, "
        f"gzip {GZIP_LEVEL}. JSON lines are compressed in files of the same events."
    )
    outcome.notes.append(
        f"The compacted hours hold {frames.events / RATE / 60:.0f} minutes of events "
        "here; a whole hour needs --events 1800000."
    )
    bars = [Bar(form, spread([size / frames.events])) for form, size in whole.items()]
    outcome.plots.append(Bars("On the disk", "bytes an event", bars))
    return outcome
