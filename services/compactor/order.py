"""What makes rows of each stream the same event, and in which order a compacted file holds them."""

from __future__ import annotations

from services.shared.event import Stream

_COMMIT = ("did", "rev", "collection", "rkey", "operation")
_RELAYED = ("did", "relay_seq")

IDENTITY: dict[Stream, tuple[str, ...]] = {
    Stream.POSTS: _COMMIT,
    Stream.LIKES: _COMMIT,
    Stream.REPOSTS: _COMMIT,
    Stream.FOLLOWS: _COMMIT,
    Stream.RECORDS: _COMMIT,
    Stream.IDENTITIES: _RELAYED,
    Stream.ACCOUNTS: _RELAYED,
    Stream.REJECTS: ("frame",),
    Stream.GAPS: ("from_us", "to_us", "reason", "host", "collection"),
}
"""Rows that agree in these columns are one event (design, "Duplicates")."""

SORTED_BY: dict[Stream, tuple[str, ...]] = {
    Stream.POSTS: ("did", "time_us"),
    Stream.LIKES: ("subject_uri", "time_us"),
    Stream.REPOSTS: ("subject_uri", "time_us"),
    Stream.FOLLOWS: ("subject_did", "time_us"),
    Stream.RECORDS: ("did", "time_us"),
    Stream.IDENTITIES: ("did", "time_us"),
    Stream.ACCOUNTS: ("did", "time_us"),
    Stream.REJECTS: ("received_at",),
    Stream.GAPS: ("from_us", "to_us"),
}
"""Chosen for size and for what people ask: who likes this post, who follows this one, what did it post."""

SEARCHED: dict[Stream, tuple[str, ...]] = {
    Stream.LIKES: ("did",),
    Stream.REPOSTS: ("did",),
    Stream.FOLLOWS: ("did",),
}
"""Columns that get a Bloom filter: asked for by one value, and in no order."""
