"""Actor, kind and body of event i, equal on every host; built from f-strings for speed."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from testing.events import crowd
from testing.events.crowd import popular_post, rank, repost_of
from testing.events.names import CID_BYTES, Rng, cid, did, iso, tid
from testing.events.oddities import Record, odd_record
from testing.events.posts import post_record
from testing.events.rare import account, identity, rare_record

if TYPE_CHECKING:
    from testing.events.crowd import Crowd

# Cumulative shares of all events in millionths: likes, posts, reposts and follows from the capture of July
# 2026, deletes and the rest from the totals of 1e9 events of 2024.
_LIKE = 666_000
_POST = _LIKE + 107_000
_REPOST = _POST + 97_500
_FOLLOW = _REPOST + 58_000
_DELETE = _FOLLOW + 22_500
_ACCOUNT = _DELETE + 3_100
_IDENTITY = _ACCOUNT + 3_200
_ODD = _IDENTITY + 2_000

# In those totals 1.3 % of the likes were not creates, 8.4 % of the follows, 4.9 % of the posts.
_DELETED = ("feed.like",) * 3 + ("graph.follow",) * 2 + ("feed.post",) * 2 + ("feed.repost",)

_BURST_EVERY = 4096
_BURST = 4
"""Every _BURST_EVERY events one repository commit follows four people: four events with one (did, rev)."""

_MILLION_IN_32_BITS = 1_000_000 / 2**32


class Moment(NamedTuple):
    """The actor, kind and times of an event, before its JSON is built."""

    i: int
    time_us: int
    draw: float
    """Decides what is done, in millionths."""
    bits: int
    """96 random bits of the event."""
    digest: bytes
    number: int
    """Number of the actor."""
    quirk: int
    """24 bits that depend on the actor only."""
    rev_us: int
    key_us: int

    @property
    def verb(self) -> str:
        """What is done; `record` for records without a stream of their own."""
        if self.draw >= _DELETE:
            return "record" if self.draw >= _IDENTITY else "account" if self.draw < _ACCOUNT else "identity"
        if self.draw >= _REPOST:
            return "follow" if self.draw < _FOLLOW else "delete"
        return "like" if self.draw < _LIKE else "post" if self.draw < _POST else "repost"

    @property
    def subject(self) -> tuple[int, int]:
        """Season and rank of the post that is liked or reposted, or of the followed account (season 0)."""
        rank_ = rank((self.bits >> 56 & 0xFFFFFF) / 0x1000000)
        return (0 if self.verb == "follow" else crowd.season(self.key_us), rank_)


def moment(seed: int, i: int, time_us: int, leader_us: int) -> Moment:
    """Return event i; time_us is its canonical time, leader_us that of `burst_leader(i)`."""
    digest = blake2b(b"%d/%d" % (seed, i)).digest()
    bits = int.from_bytes(digest[CID_BYTES:], "little")
    draw = (bits & 0xFFFFFFFF) * _MILLION_IN_32_BITS if i % _BURST_EVERY >= _BURST else _FOLLOW - 1
    leader = burst_leader(i)
    popularity = ((bits if leader == i else _bits(seed, leader)) >> 32 & 0xFFFFFF) / 0x1000000
    number = crowd.actor(popularity, _crowd(draw), leader_us)
    quirk = number * 0x9E3779B1 >> 8 & 0xFFFFFF
    # Delay and lag are constant for one actor, so that unique times give unique TIDs.
    delay_us = 400_000 + quirk % 300_000
    key_us = time_us - delay_us - 3_000 - quirk % 14 * 1_000
    return Moment(i, time_us, draw, bits, digest, number, quirk, leader_us - delay_us, key_us)


def body(moment: Moment) -> tuple[str, str]:
    """Return the DID of an event, and its JSON from `"kind"` on without the closing brace."""
    i, _, draw, bits, digest, number, quirk, rev_us, key_us = moment
    actor = did(number)
    if draw < _FOLLOW:
        record = _frequent(moment)
    elif draw < _DELETE:
        return actor, _delete(moment)
    elif draw < _IDENTITY:
        builder = account if draw < _ACCOUNT else identity
        return actor, builder(Rng(bits), i, actor, rev_us)
    elif draw < _ODD:
        record = odd_record(Rng(bits), key_us)
    else:
        record = rare_record(Rng(bits), actor, key_us)
    rev = tid(i + 1, 0) if record.counted else tid(rev_us, quirk & 31)
    record_json = f',"record":{record.json},"cid":"{cid(digest)}"' if record.json else ""
    return actor, (
        f'"kind":"commit","commit":{{"rev":"{rev}","operation":"{record.operation}",'
        f'"collection":"{record.collection}","rkey":"{record.rkey or tid(key_us, quirk & 31)}"{record_json}}}'
    )


def burst_leader(i: int) -> int:
    """Return the event whose actor and revision event i shares: i itself unless it is in a burst."""
    inside = i % _BURST_EVERY
    return i - inside if inside < _BURST else i


def _bits(seed: int, i: int) -> int:
    return int.from_bytes(blake2b(b"%d/%d" % (seed, i)).digest()[CID_BYTES:], "little")


def _crowd(draw: float) -> Crowd:
    if draw < _LIKE or draw >= _FOLLOW:
        return crowd.LIKERS
    if draw < _POST:
        return crowd.POSTERS
    return crowd.REPOSTERS if draw < _REPOST else crowd.FOLLOWERS


def _frequent(moment: Moment) -> Record:
    draw, bits, key_us = moment.draw, moment.bits, moment.key_us
    if _LIKE <= draw < _POST:
        # Clients choose the keys of posts, some time before their server has them.
        written_us = (key_us - 200_000) // 1000 * 1000
        return Record(
            "app.bsky.feed.post", post_record(Rng(bits), written_us), tid(written_us, moment.quirk & 31)
        )
    created = iso(key_us - (bits >> 80 & 0x1FFFF))
    if draw >= _REPOST:
        subject = did(rank((bits >> 56 & 0xFFFFFF) / 0x1000000))
        json = f'{{"$type":"app.bsky.graph.follow","createdAt":"{created}","subject":"{subject}"}}'
        return Record("app.bsky.graph.follow", json)
    return _pointing(bits, key_us, created, "like" if draw < _LIKE else "repost")


def _delete(moment: Moment) -> str:
    bits, clock = moment.bits, moment.quirk & 31
    age_us = int(2_000_000 * 10 ** ((bits >> 56 & 0xFFFFFF) / 0x1000000 * 6))
    collection = _DELETED[(bits >> 80) % len(_DELETED)]
    return (
        f'"kind":"commit","commit":{{"rev":"{tid(moment.rev_us, clock)}","operation":"delete",'
        f'"collection":"app.bsky.{collection}","rkey":"{tid(moment.key_us - age_us, clock)}"}}'
    )


def _pointing(bits: int, now_us: int, created: str, verb: str) -> Record:
    """Return a like or repost; about an eighth of the likes and a fifth of the reposts have a `via`."""
    subject = popular_post((bits >> 56 & 0xFFFFFF) / 0x1000000, now_us)
    via = ""
    if (bits >> 88 & 0x7F) < (15 if verb == "like" else 27):
        # The same subject and reposter give the same via.
        reposter = rank((bits >> 72 & 0xFFFF) / 0x10000)
        via = f',"via":{repost_of(did(reposter), subject.rkey)}'
    return Record(
        f"app.bsky.feed.{verb}",
        f'{{"$type":"app.bsky.feed.{verb}","createdAt":"{created}","subject":{subject.ref}{via}}}',
    )
