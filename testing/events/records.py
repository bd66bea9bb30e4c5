"""What happens at event i: actor, kind and body, equal on every host; f-strings where it is hot."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from testing.events.crowd import popular_post, rank, repost_of
from testing.events.dice import Dice
from testing.events.names import CID_BYTES, cid, did, iso, tid
from testing.events.oddities import Record, odd_record
from testing.events.posts import post_record
from testing.events.rare import account, identity, rare_record

# Shares of all events in millionths, cumulative (2026-07 sample and the totals of 1e9 events).
_LIKE = 672_000
_POST = _LIKE + 108_000
_REPOST = _POST + 99_000
_FOLLOW = _REPOST + 59_000
_DELETE = _FOLLOW + 30_000
_ACCOUNT = _DELETE + 3_000
_IDENTITY = _ACCOUNT + 3_000
_ODD = _IDENTITY + 2_000

_DELETED = ("feed.like",) * 4 + ("graph.follow",) * 3 + ("feed.post",) * 2 + ("feed.repost",)

_BURST_EVERY = 4096
_BURST = 4
"""Now and then one repository commit follows four people at once: four events with one (did, rev)."""

_MILLION_IN_32_BITS = 1_000_000 / 2**32


class Moment(NamedTuple):
    """Who acts at an event and when, before it is decided what they do."""

    bits: int
    """96 random bits of the event's own."""
    actor: str
    quirk: int
    """24 bits that are the actor's own at every event."""
    rev_us: int
    key_us: int


def body(seed: int, i: int, time_us: int, leader_us: int) -> tuple[str, str]:
    """Return the DID and the JSON from `"kind"` on (without the closing brace) of event i.

    time_us is the event's own canonical time; leader_us that of event `burst_leader(i)`.
    """
    digest = blake2b(b"%d/%d" % (seed, i)).digest()
    bits = int.from_bytes(digest[CID_BYTES:], "little")
    leader = burst_leader(i)
    number = rank(((bits if leader == i else _bits(seed, leader)) >> 32 & 0xFFFFFF) / 0x1000000)
    quirk = number * 0x9E3779B1 >> 8 & 0xFFFFFF
    # A host's delay and a client's lag never change for one actor, so that unique times give unique TIDs.
    delay_us = 400_000 + quirk % 300_000
    key_us = time_us - delay_us - 3_000 - quirk % 14 * 1_000
    moment = Moment(bits, did(number), quirk, leader_us - delay_us, key_us)
    draw = (bits & 0xFFFFFFFF) * _MILLION_IN_32_BITS if i % _BURST_EVERY >= _BURST else _FOLLOW - 1

    if _FOLLOW <= draw < _DELETE:
        return moment.actor, _delete(moment)
    if _DELETE <= draw < _IDENTITY:
        said = account if draw < _ACCOUNT else identity
        return moment.actor, said(Dice(bits), i, moment.actor, moment.rev_us)
    record = _frequent(moment, draw) if draw < _FOLLOW else _infrequent(moment, draw)
    rev = tid(i + 1, 0) if record.counted else tid(moment.rev_us, quirk & 31)
    return moment.actor, (
        f'"kind":"commit","commit":{{"rev":"{rev}","operation":"{record.operation}",'
        f'"collection":"{record.collection}","rkey":"{record.rkey or tid(key_us, quirk & 31)}",'
        f'"record":{record.json},"cid":"{cid(digest)}"}}'
    )


def burst_leader(i: int) -> int:
    """Return the event whose actor and revision event i shares: nearly always i itself."""
    inside = i % _BURST_EVERY
    return i - inside if inside < _BURST else i


def _bits(seed: int, i: int) -> int:
    return int.from_bytes(blake2b(b"%d/%d" % (seed, i)).digest()[CID_BYTES:], "little")


def _frequent(moment: Moment, draw: float) -> Record:
    bits, key_us = moment.bits, moment.key_us
    if _LIKE <= draw < _POST:
        # Clients name posts themselves, a while before their server has them, so clock and lag are their own.
        written_us = (key_us - 200_000) // 1000 * 1000
        return Record(
            "app.bsky.feed.post", post_record(Dice(bits), written_us), tid(written_us, moment.quirk & 31)
        )
    created = iso(key_us - (bits >> 80 & 0x1FFFF))
    if draw >= _REPOST:
        subject = did(rank((bits >> 56 & 0xFFFFFF) / 0x1000000))
        json = f'{{"$type":"app.bsky.graph.follow","createdAt":"{created}","subject":"{subject}"}}'
        return Record("app.bsky.graph.follow", json)
    return _pointing(bits, key_us, created, "like" if draw < _LIKE else "repost")


def _infrequent(moment: Moment, draw: float) -> Record:
    if draw < _ODD:
        return odd_record(Dice(moment.bits), moment.key_us)
    return rare_record(Dice(moment.bits), moment.actor, moment.key_us)


def _delete(moment: Moment) -> str:
    bits, clock = moment.bits, moment.quirk & 31
    age_us = int(2_000_000 * 10 ** ((bits >> 56 & 0xFFFFFF) / 0x1000000 * 6))
    collection = _DELETED[(bits >> 80) % len(_DELETED)]
    return (
        f'"kind":"commit","commit":{{"rev":"{tid(moment.rev_us, clock)}","operation":"delete",'
        f'"collection":"app.bsky.{collection}","rkey":"{tid(moment.key_us - age_us, clock)}"}}'
    )


def _pointing(bits: int, now_us: int, created: str, verb: str) -> Record:
    """Return a like or repost; about a tenth of likes and a fifth of reposts were made via a repost."""
    subject = popular_post((bits >> 56 & 0xFFFFFF) / 0x1000000, now_us)
    via = ""
    if (bits >> 88 & 0x7F) < (12 if verb == "like" else 29):
        # The same subject reached over the same reposter has the same via.
        reposter = rank((bits >> 72 & 0xFFFF) / 0x10000)
        via = f',"via":{repost_of(did(reposter), subject.rkey)}'
    return Record(
        f"app.bsky.feed.{verb}",
        f'{{"$type":"app.bsky.feed.{verb}","createdAt":"{created}","subject":{subject.ref}{via}}}',
    )
