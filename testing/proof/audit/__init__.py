"""An independent judge of whether every event of a known truth is in the archive, once and unaltered.

Reads parts with DuckDB and rebuilds events by the rules in services/archive/DATA.md, as `archive export`
does. Imports nothing of the ingester or the writer: a shared mistake would judge itself right.
"""

from __future__ import annotations

from testing.proof.audit.compare import Audit, StreamAudit, audit
from testing.proof.audit.rebuild import rebuild_events, rebuild_frames

__all__ = ["Audit", "StreamAudit", "audit", "rebuild_events", "rebuild_frames"]
