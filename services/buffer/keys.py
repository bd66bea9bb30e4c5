"""Every key in Redis: names, and what lies behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.shared.event import Stream

CURSOR = "archive:cursor"
"""JSON (see `cursor`): where to resume; written only together with the events before it."""
RECENT = "archive:recent"
"""List, one element a push: 8 bytes of the push's cursor time, then 16 bytes for each identity pushed."""
EPOCH = "archive:epoch"
"""`<number> <run_id>`: one more whenever Redis' volume was lost or a backup restored, and the life of the
server in which the writer last confirmed that. An ingester pushes only while it is the server's own."""
ARCHIVE_ID = "archive:id"
"""The id of the archive on disk that this Redis belongs to."""
PUSHED = "archive:pushed"
"""Hash of `<stream>:<count>` in this epoch; counts are received, pushed, duplicate and rejected."""

OPERATOR_PUSH = "archive:operator_push"
"""Nonce and number of a tool's last push; written by each of them and watched by the next."""

CLAIM_PATTERN = "archive:claim:{stream}:*"


def buffer_key(stream: Stream) -> str:
    """Return the list that the ingester pushes to: one event's JSON an element."""
    return f"archive:buffer:{stream}"


def claim_key(stream: Stream, chunk: int) -> str:
    """Return the list that one claim took; `chunk` in the name makes a restart cut the same chunks."""
    return f"archive:claim:{stream}:{chunk}"
