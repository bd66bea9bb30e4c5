"""Events that are rare: identity and account events, and the records without a stream of their own."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from testing.events.crowd import popular_post, rank
from testing.events.names import did, iso, tid
from testing.events.oddities import Record
from testing.events.posts import blob, post_record
from testing.events.text import escaped, handle, link, name, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.events.names import Rng

# Seen once or a few times in the 1e9 events of 2024: wrong case, verbs as records, experiments.
_STRAY = (
    "app.bsky.graph.starterPack",
    "app.bsky.graph.unfollow",
    "app.bsky.feed.deleteLike",
    "app.top8.theme",
)
_RELAY_SEQ = 31_500_000_000
"""The relay's sequence number of event 0, in identity and account events."""
_STATUSES = ("deactivated", "deleted", "takendown", "suspended", "throttled", "desynchronized")


def rare_record(rng: Rng, actor: str, now: int) -> Record:
    """Return a record of a rare kind, with the frequencies of _SHARES; `now` is in Unix microseconds."""
    return _MAKERS[bisect_right(_UPTO, int(rng.random() * _UPTO[-1]))](rng, actor, now)


def _made(collection: str, body: str, rkey: str | None = None, operation: str = "create") -> Record:
    return Record(collection, f'{{"$type":"{collection}",{body}}}', rkey, operation)


def _sometimes(rng: Rng, now: int, record: Record, **not_created: float) -> Record:
    """Return the record or, with these probabilities, its update or delete."""
    draw = rng.random()
    if draw < not_created.get("deleted", 0.0):
        old = tid(now - rng.below(10**13), 0)
        return Record(record.collection, "", record.rkey or old, "delete")
    if 1 - draw < not_created.get("updated", 0.0):
        return record._replace(operation="update", rkey=record.rkey or tid(now - rng.below(10**13), 0))
    return record


def _created(now: int) -> str:
    return f'"createdAt":"{iso(now)}"'


def _somebody(rng: Rng) -> str:
    return f'"subject":"{did(rank(rng.random()))}"'


def _title(rng: Rng, limit: int) -> str:
    return escaped(sentences(rng, "en", limit))


def _block(rng: Rng, _actor: str, now: int) -> Record:
    record = _made("app.bsky.graph.block", f"{_created(now)},{_somebody(rng)}")
    return _sometimes(rng, now, record, deleted=0.014)


def _listitem(rng: Rng, actor: str, now: int) -> Record:
    listing = f"at://{actor}/app.bsky.graph.list/{tid(now - rng.below(10**13), 0)}"
    record = _made("app.bsky.graph.listitem", f'{_created(now)},"list":"{listing}",{_somebody(rng)}')
    return _sometimes(rng, now, record, deleted=0.066)


def _listblock(rng: Rng, _actor: str, now: int) -> Record:
    listing = f"at://{did(rank(rng.random()))}/app.bsky.graph.list/{tid(now - rng.below(10**13), 0)}"
    record = _made("app.bsky.graph.listblock", f'{_created(now)},"subject":"{listing}"')
    return _sometimes(rng, now, record, deleted=0.04)


def _profile(rng: Rng, _actor: str, now: int) -> Record:
    shown = f'"avatar":{blob(rng, "image/jpeg", 900_000)},"banner":{blob(rng, "image/jpeg", 900_000)}'
    description, shown_as = _title(rng, 20 + rng.below(200)), _title(rng, 5 + rng.below(25))
    names = f'"description":"{description}","displayName":"{shown_as}"'
    pinned = f',"pinnedPost":{popular_post(rng.random(), now).ref}' if rng.chance(0.5) else ""
    record = _made("app.bsky.actor.profile", f"{shown},{_created(now)},{names}{pinned}", "self")
    return _sometimes(rng, now, record, updated=0.605)


def _threadgate(rng: Rng, actor: str, now: int) -> Record:
    gate = tid(now, rng.below(32))
    allow = rng.pick(("[]", '[{"$type":"app.bsky.feed.threadgate#followingRule"}]'))
    post = f'"post":"at://{actor}/app.bsky.feed.post/{gate}"'
    body = f'"allow":{allow},{_created(now)},"hiddenReplies":[],{post}'
    return _sometimes(rng, now, _made("app.bsky.feed.threadgate", body, gate), updated=0.11)


def _postgate(rng: Rng, actor: str, now: int) -> Record:
    gate = tid(now, rng.below(32))
    rules = '"embeddingRules":[{"$type":"app.bsky.feed.postgate#disableRule"}]'
    body = (
        f'{_created(now)},"detachedEmbeddingUris":[],{rules},"post":"at://{actor}/app.bsky.feed.post/{gate}"'
    )
    return _made("app.bsky.feed.postgate", body, gate)


def _list(rng: Rng, _actor: str, now: int) -> Record:
    listed = f'"name":"{_title(rng, 20)}","purpose":"app.bsky.graph.defs#curatelist"'
    record = _made("app.bsky.graph.list", f"{_created(now)},{listed}")
    return _sometimes(rng, now, record, deleted=0.12, updated=0.15)


def _starterpack(rng: Rng, actor: str, now: int) -> Record:
    listing = f'"list":"at://{actor}/app.bsky.graph.list/{tid(now - rng.below(10**11), 0)}"'
    names = f'"description":"{_title(rng, 60)}","feeds":[],{listing},"name":"{_title(rng, 25)}"'
    record = _made("app.bsky.graph.starterpack", f"{_created(now)},{names}")
    return _sometimes(rng, now, record, updated=0.74)


def _generator(rng: Rng, _actor: str, now: int) -> Record:
    service = f'"did":"did:web:{name(rng)}.example"'
    names = f'"description":"{_title(rng, 80)}",{service},"displayName":"{_title(rng, 20)}"'
    record = _made("app.bsky.feed.generator", f"{_created(now)},{names}", name(rng))
    return _sometimes(rng, now, record, updated=0.86)


def _updated_post(rng: Rng, _actor: str, now: int) -> Record:
    return Record("app.bsky.feed.post", post_record(rng, now), tid(now - rng.below(10**10), 1), "update")


def _declaration(rng: Rng, _actor: str, _now: int) -> Record:
    allow = rng.pick(("all", "none", "following"))
    return _made("chat.bsky.actor.declaration", f'"allowIncoming":"{allow}"', "self", "update")


def played(rng: Rng, _actor: str, now: int) -> Record:
    """Return a record of a song that is played."""
    by = f'"artists":[{{"artistName":"{_title_words(rng)}"}}],"duration":{rng.pick(("null", "201", "187"))}'
    heard = f'"playedTime":"{iso(now - rng.below(10**9))}","releaseName":"{_title_words(rng)}"'
    agent = f'"submissionClientAgent":"{name(rng)}-scrobbler/{rng.below(9)}.{rng.below(30)}"'
    item = f'"item":{{{by},{heard},{agent},"trackName":"{_title_words(rng)}"}}'
    body = f'"expiry":"{iso(now + 600_000_000)}",{item},"time":"{iso(now)}"'
    return _made("fm.teal.alpha.actor.status", body, "self", "update")


def status(rng: Rng, _actor: str, now: int) -> Record:
    """Return a record of a live stream, with its page."""
    description = f'"description":"{escaped(sentences(rng, "en", 40 + rng.below(160)))}"'
    thumb = f'"thumb":{blob(rng, "image/jpeg", 900_000)}'
    page = f'"title":"{escaped(sentences(rng, "en", 25))}","uri":"https://{name(rng)}.tv/{name(rng)}"'
    shown = f'"$type":"app.bsky.embed.external#external",{description},{thumb},{page}'
    embed = f'"embed":{{"$type":"app.bsky.embed.external","external":{{{shown}}}}}'
    minutes = f'"durationMinutes":{30 + rng.below(210)}'
    body = f'"createdAt":"{iso(now)}",{minutes},{embed},"status":"app.bsky.actor.status#live"'
    return _made("app.bsky.actor.status", body, "self", "update")


def lesser_known(rng: Rng, _actor: str, now: int) -> Record:
    """Return a record of one of many small applications."""
    created, draw = f'"createdAt":"{iso(now)}"', rng.random()
    if draw < 0.3:
        content = escaped(sentences(rng, "en", 400 + rng.below(3000)))
        return _made("com.whtwnd.blog.entry", f'"content":"{content}",{created},"title":"{name(rng)}"')
    if draw < 0.6:
        return _made("sh.tangled.feed.star", f'{created},"subject":"{popular_post(rng.random(), now).uri}"')
    if draw < 0.9:
        page = f'"path":"{escaped(link(rng))}","title":"{name(rng)}"'
        return _made("site.standard.document", f"{created},{page}")
    return _made(rng.pick(_STRAY), f'{created},"subject":"{name(rng)}"')


def _title_words(rng: Rng) -> str:
    return " ".join(name(rng).capitalize() for _ in range(1 + rng.below(3)))


def identity(rng: Rng, i: int, actor: str, relayed_us: int) -> str:
    """Return kind and body of an identity event; half of them have a handle, as all had until 2025."""
    named = f'"handle":"{handle(rng)}",' if rng.chance(0.5) else ""
    body = f'{{"did":"{actor}",{named}"seq":{_RELAY_SEQ + i},"time":"{iso(relayed_us)}"}}'
    return f'"kind":"identity","identity":{body}'


def account(rng: Rng, i: int, actor: str, relayed_us: int) -> str:
    """Return kind and body of an account event; only inactive ones have a status."""
    status = rng.pick_zipf(_STATUSES) if rng.chance(0.4) else ""
    active, extra = ("false", f',"status":"{status}"') if status else ("true", "")
    body = f'{{"active":{active},"did":"{actor}","seq":{_RELAY_SEQ + i},"time":"{iso(relayed_us)}"{extra}}}'
    return f'"kind":"account","account":{body}'


# Millionths of all events. Those of app.bsky.* are shares of the 1e9 events of 2024; no figures of the others
# are published (in July 2026 one of 152 events was of the first).
_SHARES: tuple[tuple[int, Callable[[Rng, str, int], Record]], ...] = (
    (16_000, _block),
    (8_100, _profile),
    (7_800, _listitem),
    (3_000, played),
    (1_500, status),
    (800, _listblock),
    (500, lesser_known),
    (400, _threadgate),
    (300, _list),
    (300, _starterpack),
    (300, _updated_post),
    (300, _declaration),
    (200, _postgate),
    (70, _generator),
)
_UPTO = list(accumulate(share for share, _ in _SHARES))
_MAKERS = [maker for _, maker in _SHARES]
