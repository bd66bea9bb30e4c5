"""An independent check that every event of a known truth is archived, once and unaltered.

Reads parts with DuckDB and rebuilds events by the rules in services/archive/DATA.md, as `archive export`
does. Imports nothing of the ingester or the writer, so that a mistake of theirs cannot hide itself.
"""

from __future__ import annotations

from testing.proof.audit.compare import (
    Audit,
    StreamAudit,
    audit,
    count_rows,
    rebuild_events,
    rebuild_frames,
)

__all__ = ["Audit", "StreamAudit", "audit", "count_rows", "rebuild_events", "rebuild_frames"]
