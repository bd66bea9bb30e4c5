"""`--dry-run`: print what is waiting and the Parquet size of each first chunk. Changes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from services.buffer.claims import Claims
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode

if TYPE_CHECKING:
    from services.data_writer.settings import WriterSettings
    from services.shared.lifecycle import Stopping


def dry_run(settings: WriterSettings, stopping: Stopping) -> str:
    """Return a table of the owned streams. Does not fence, so a running writer is not interrupted."""
    claims = Claims(settings.redis_address(), stopping)
    claims.open(fence=False)
    lines = [f"{'stream':<12}{'waiting':>10}{'claimed':>10}{'rejects':>9}{'raw B':>12}{'Parquet B':>12}"]
    depths = claims.depths(settings.streams)
    with tempfile.TemporaryDirectory() as scratch:
        for stream in settings.streams:
            sample = claims.sample(stream, settings.writer_chunk)
            claimed = sum(claims.length(claim) for claim in claims.find(stream))
            encoded = encode(stream, sample)
            stored = commit(Path(scratch), encoded, ChunkOrigin()).bytes if sample else 0
            lines.append(
                f"{stream:<12}{depths[stream]:>10}{claimed:>10}{len(encoded.rejected):>9}{encoded.raw_bytes:>12}{stored:>12}"
            )
    claims.close()
    lines.append(
        f"raw and Parquet: the first {settings.writer_chunk} events of each stream; nothing was changed"
    )
    return "\n".join(lines)
