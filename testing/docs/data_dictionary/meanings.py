"""The meaning of each column, its source in Jetstream or the lexicons, and what null means."""

from __future__ import annotations

from typing import NamedTuple

from services.shared.event import GapReason, Reason

NEVER = "never"
ABSENT = "absent"
"""Absent, or of another type than the column's: then the value is in `extra`."""
_RECORD_TIME = "time of creation as the client states it, which may be wrong; without a zone, read as UTC"
_RELAY_SEQ = "the relay's sequence number; it decreased when relays were replaced"
_RELAY_TIME = "when the relay sent it, to the millisecond"
_OUR_TIME = "`received_at` truncated to milliseconds, for people and filters"
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
        "time at the Jetstream host, Unix microseconds by its clock. Not unique, and not the author's time",
        "event `time_us`",
        NEVER,
    ),
    "event_time": Meaning(
        "`time_us` truncated to milliseconds, UTC, for people and filters", "the writer", NEVER
    ),
    "did": Meaning("the repository or account", "event `did`", NEVER),
    "cursor": Meaning(
        "the host's number of the event; every host has its own",
        "event `cursor`",
        "a v1 host, which has none",
    ),
    "operation": Meaning("`create`, `update` or `delete`, as the host sent it", "commit `operation`", NEVER),
    "collection": Meaning("the kind of record, an NSID", "commit `collection`", NEVER),
    "rkey": Meaning(
        "the record's key; `at://<did>/<collection>/<rkey>` is its address", "commit `rkey`", NEVER
    ),
    "rev": Meaning("the repository's revision, a TID by rule, not always a time", "commit `rev`", NEVER),
    "cid": Meaning("hash of the record's content", "commit `cid`", "a delete"),
    "created_at": Meaning(_RECORD_TIME, "record `createdAt`", "absent, not a time, or a delete"),
    "text": Meaning("the text, by rule at most 300 graphemes", "`app.bsky.feed.post#text`"),
    "langs": Meaning(
        "languages that the client declared, BCP 47; an empty list is not null", "`app.bsky.feed.post#langs`"
    ),
    "reply_root_uri": Meaning("the first post of the thread", "`…post#reply.root.uri`", "no reply"),
    "reply_root_cid": Meaning("its content, as the client saw it", "`…post#reply.root.cid`", "no reply"),
    "reply_parent_uri": Meaning("the post that this one answers", "`…post#reply.parent.uri`", "no reply"),
    "reply_parent_cid": Meaning("its content, as the client saw it", "`…post#reply.parent.cid`", "no reply"),
    "embed_type": Meaning("the kind of attachment", "`…post#embed.$type`", "no attachment"),
    "embed": Meaning(
        "the attachment, JSON: images (only their hashes), a link, another post", "`…post#embed`", _AS_JSON
    ),
    "facets": Meaning(
        "mentions, links and tags in the text, JSON; offsets are in UTF-8 bytes", "`…post#facets`", _AS_JSON
    ),
    "labels": Meaning("labels by the author, JSON; not those of others", "`…post#labels`", _AS_JSON),
    "tags": Meaning("tags outside the text", "`…post#tags`"),
    "subject_uri": Meaning("the record that is liked or reposted", "record `subject.uri`"),
    "subject_cid": Meaning("its content, as the client saw it", "record `subject.cid`"),
    "via_uri": Meaning("the repost through which the record was found", "record `via.uri`", "no repost"),
    "via_cid": Meaning("its content", "record `via.cid`", "no repost"),
    "subject_did": Meaning("the account that is followed", "`app.bsky.graph.follow#subject`"),
    "record": Meaning("the whole record, JSON", "commit `record`", _AS_JSON),
    "extra": Meaning(
        "JSON of what the other columns do not contain ([below](#from-a-row-to-its-event))",
        "the writer",
        "the columns are complete",
    ),
    "handle": Meaning("the handle, as in the event", "identity `handle`", "absent, as mostly since 2026"),
    "relay_seq": Meaning(_RELAY_SEQ, "identity or account `seq`", NEVER),
    "relay_time": Meaning(_RELAY_TIME, "identity or account `time`", "absent, or not a time"),
    "active": Meaning("whether the account is active", "account `active`"),
    "status": Meaning(
        "why it is not: `takendown`, `suspended`, `deleted`, `deactivated`, …",
        "account `status`",
        "active",
    ),
    "rejects.reason": Meaning(
        f"{_REJECTED}: why it was rejected; `encode_failed`: the writer could not encode it",
        "validate, encode",
        NEVER,
    ),
    "rejects.frame": Meaning("the bytes as received", "Jetstream", NEVER),
    "rejects.host": Meaning("the host that sent it; may be empty for `encode_failed`", "the ingester", NEVER),
    "rejects.received_at": Meaning(
        "time of receipt, Unix microseconds. For `encode_failed` the frame's `time_us`; if that is "
        "unreadable, the first of its chunk; if none is readable, 0",
        "the ingester",
        NEVER,
    ),
    "rejects.event_time": Meaning(_OUR_TIME, "the writer", NEVER),
    "rejects.stream": Meaning(
        "for `encode_failed`, the stream whose buffer it came from", "the writer", "the ingester rejected it"
    ),
    "gaps.from_us": Meaning("start of the interval, Unix microseconds", "the ingester", NEVER),
    "gaps.to_us": Meaning("end of the interval, Unix microseconds", "the ingester", NEVER),
    "gaps.reason": Meaning(
        f"{_DOUBTS}: why events may be missing; `repaired`: the interval was read again",
        "the ingester, `archive repair`",
        NEVER,
    ),
    "gaps.host": Meaning("the Jetstream host", "the ingester", NEVER),
    "gaps.collection": Meaning("the affected collection", "the ingester", "all collections"),
    "gaps.received_at": Meaning("time at which the gap was found, Unix microseconds", "the ingester", NEVER),
    "gaps.event_time": Meaning(_OUR_TIME, "the writer", NEVER),
}
"""By column, or by `stream.column` where a stream gives a column another meaning."""


def meaning_of(stream: str, column: str) -> Meaning:
    """Return the meaning of a stream's column. Raises KeyError if there is none."""
    return MEANINGS.get(f"{stream}.{column}") or MEANINGS[column]
