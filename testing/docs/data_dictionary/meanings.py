"""The meaning of each column, its source in Jetstream or the lexicons, and what null means."""

from __future__ import annotations

from typing import NamedTuple

from services.shared.event import GapReason, Reason

NEVER = "never"
ABSENT = "absent"
"""Absent, or of another type than the column's: then the value is in `extra`."""
_RECORD_TIME = (
    "when the record was made according to the client, which may be wrong. Without a zone it is read as UTC"
)
_RELAY_SEQ = "the relay's sequence number; it has gone down when relays were changed"
_RELAY_TIME = "when the relay sent it, to the millisecond"
_OUR_TIME = "`received_at` cut off at the millisecond, for people and filters"
_REJECTED = ", ".join(f"`{reason}`" for reason in Reason if reason is not Reason.ENCODE_FAILED)
_DOUBTS = ", ".join(f"`{reason}`" for reason in GapReason if reason is not GapReason.REPAIRED)
_AS_JSON = "absent (the text `null`: a JSON null)"


class Meaning(NamedTuple):
    """One column; `source` is a path in the event or record, or the program that makes the value."""

    what: str
    source: str
    null: str = ABSENT


MEANINGS = {
    "time_us": Meaning(
        "when the Jetstream host saw it, Unix microseconds by its clock. Not unique, not the author's time",
        "event `time_us`",
        NEVER,
    ),
    "event_time": Meaning(
        "`time_us` cut off at the millisecond, UTC, for people and filters", "the writer", NEVER
    ),
    "did": Meaning("whose repository or account", "event `did`", NEVER),
    "cursor": Meaning(
        "the host's own number of the event; of another host, another number",
        "event `cursor`",
        "a v1 host, which gives none",
    ),
    "operation": Meaning("`create`, `update` or `delete`, as the host sent it", "commit `operation`", NEVER),
    "collection": Meaning("the kind of record, an NSID", "commit `collection`", NEVER),
    "rkey": Meaning(
        "the record's key; `at://<did>/<collection>/<rkey>` is its address", "commit `rkey`", NEVER
    ),
    "rev": Meaning("the repository's revision, a TID by rule, not always a time", "commit `rev`", NEVER),
    "cid": Meaning("hash of the record's content", "commit `cid`", "a delete"),
    "created_at": Meaning(_RECORD_TIME, "record `createdAt`", "absent, no time, or a delete"),
    "text": Meaning("what was written, at most 300 graphemes by rule", "`app.bsky.feed.post#text`"),
    "langs": Meaning(
        "languages that the client declared, BCP 47; an empty list is not null", "`app.bsky.feed.post#langs`"
    ),
    "reply_root_uri": Meaning("the post that began the thread", "`…post#reply.root.uri`", "no reply"),
    "reply_root_cid": Meaning("its content, as the client saw it", "`…post#reply.root.cid`", "no reply"),
    "reply_parent_uri": Meaning("the post that is answered", "`…post#reply.parent.uri`", "no reply"),
    "reply_parent_cid": Meaning("its content, as the client saw it", "`…post#reply.parent.cid`", "no reply"),
    "embed_type": Meaning("the kind of attachment", "`…post#embed.$type`", "nothing attached"),
    "embed": Meaning(
        "what is attached, JSON: images (hashes, no pixels), a link, another post", "`…post#embed`", _AS_JSON
    ),
    "facets": Meaning(
        "mentions, links and tags in the text, JSON; offsets are in UTF-8 bytes", "`…post#facets`", _AS_JSON
    ),
    "labels": Meaning("labels by the author, JSON; not those of others", "`…post#labels`", _AS_JSON),
    "tags": Meaning("tags beside the text", "`…post#tags`"),
    "subject_uri": Meaning("the record that is liked or reposted", "record `subject.uri`"),
    "subject_cid": Meaning("its content, as the client saw it", "record `subject.cid`"),
    "via_uri": Meaning("the repost through which it was found", "record `via.uri`", "found without one"),
    "via_cid": Meaning("its content", "record `via.cid`", "found without one"),
    "subject_did": Meaning("the account that is followed", "`app.bsky.graph.follow#subject`"),
    "record": Meaning("the whole record, JSON", "commit `record`", _AS_JSON),
    "extra": Meaning(
        "JSON of what the other columns do not hold ([below](#from-a-row-to-its-event))",
        "the writer",
        "nothing is left",
    ),
    "handle": Meaning("the handle, as in the event", "identity `handle`", "as mostly since 2026"),
    "relay_seq": Meaning(_RELAY_SEQ, "identity or account `seq`", NEVER),
    "relay_time": Meaning(_RELAY_TIME, "identity or account `time`", "absent, or no time"),
    "active": Meaning("whether the account is to be shown", "account `active`"),
    "status": Meaning(
        "why not: `takendown`, `suspended`, `deleted`, `deactivated`, …",
        "account `status`",
        "active",
    ),
    "rejects.reason": Meaning(
        f"{_REJECTED}: what was wrong; `encode_failed`: the writer could make no row of it",
        "validate, encode",
        NEVER,
    ),
    "rejects.frame": Meaning("the bytes as received", "Jetstream", NEVER),
    "rejects.host": Meaning("who sent it; may be empty for `encode_failed`", "the ingester", NEVER),
    "rejects.received_at": Meaning(
        "when it came, Unix microseconds. For `encode_failed` the frame's `time_us`; where that is "
        "unreadable its chunk's first; where none is readable 0",
        "the ingester",
        NEVER,
    ),
    "rejects.event_time": Meaning(_OUR_TIME, "the writer", NEVER),
    "rejects.stream": Meaning(
        "for `encode_failed`, the stream whose buffer it came from", "the writer", "the ingester rejected it"
    ),
    "gaps.from_us": Meaning("where events may begin to be missing, Unix microseconds", "the ingester", NEVER),
    "gaps.to_us": Meaning("where they are whole again, Unix microseconds", "the ingester", NEVER),
    "gaps.reason": Meaning(
        f"{_DOUBTS}: why a hole cannot be excluded; `repaired`: the end of one",
        "the ingester, `archive repair`",
        NEVER,
    ),
    "gaps.host": Meaning("the Jetstream host concerned", "the ingester", NEVER),
    "gaps.collection": Meaning("the one collection concerned", "the ingester", "all of them"),
    "gaps.received_at": Meaning("when the gap was noted, Unix microseconds", "the ingester", NEVER),
    "gaps.event_time": Meaning(_OUR_TIME, "the writer", NEVER),
}
"""By column, or by `stream.column` where a stream gives a column another meaning."""


def meaning_of(stream: str, column: str) -> Meaning:
    """Return the meaning of a stream's column. Raises KeyError if there is none."""
    return MEANINGS.get(f"{stream}.{column}") or MEANINGS[column]
