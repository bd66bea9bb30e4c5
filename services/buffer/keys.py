"""Every key in Redis: its name and its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.shared.event import Stream

CURSOR = "archive:cursor"
"""JSON (see `cursor`): where to resume; written only together with the events before it."""
RECENT = "archive:recent"
"""List with one element per push: the cursor's time in 8 bytes, then each pushed identity in 16 bytes."""
EPOCH = "archive:epoch"
"""`<number> <run_id>`: the number rises whenever Redis lost its volume or a backup was restored; `run_id` is
that of the server in which the writer last confirmed the cursor. An ingester pushes only to that server."""
ARCHIVE_ID = "archive:id"
"""The id of the archive on disk that this Redis belongs to."""
PUSHED = "archive:pushed"
"""Hash of the counts of this epoch, by `<stream>:<count>`: received, pushed, duplicate and rejected."""

OPERATOR_PUSH = "archive:operator_push"
"""Nonce and number of the last operator push; each push writes it and watches it."""

CLAIM_PATTERN = "archive:claim:{stream}:*"


def buffer_key(stream: Stream) -> str:
    """Return the key of the list that the ingester pushes to; each element is the JSON of one event."""
    return f"archive:buffer:{stream}"


def claim_key(stream: Stream, chunk: int) -> str:
    """Return the key of a claimed list; with `chunk` in its name a restart cuts the same chunks."""
    return f"archive:claim:{stream}:{chunk}"
