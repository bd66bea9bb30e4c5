"""The records that have no stream of their own: what else people keep in their repositories."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from testing.events.crowd import popular_post, rank
from testing.events.names import did, iso, tid
from testing.events.oddities import Record
from testing.events.posts import blob, post_record
from testing.events.text import escaped, name, sentences
from testing.events.third_party import lesser_known, played, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.events.dice import Dice


def rare_record(dice: Dice, actor: str, now: int) -> Record:
    """Return one of the records below, each as often as it is seen; now is in microseconds."""
    return _MAKERS[bisect_right(_UPTO, int(dice.random() * _UPTO[-1]))](dice, actor, now)


def _made(collection: str, body: str, rkey: str | None = None, operation: str = "create") -> Record:
    return Record(collection, f'{{"$type":"{collection}",{body}}}', rkey, operation)


def _sometimes(dice: Dice, now: int, record: Record, **not_created: float) -> Record:
    """Return the record or, with these likelihoods, its update or delete instead of its creation."""
    draw = dice.random()
    if draw < not_created.get("deleted", 0.0):
        old = tid(now - dice.below(10**13), 0)
        return Record(record.collection, "", record.rkey or old, "delete")
    if 1 - draw < not_created.get("updated", 0.0):
        return record._replace(operation="update", rkey=record.rkey or tid(now - dice.below(10**13), 0))
    return record


def _created(now: int) -> str:
    return f'"createdAt":"{iso(now)}"'


def _somebody(dice: Dice) -> str:
    return f'"subject":"{did(rank(dice.random()))}"'


def _title(dice: Dice, limit: int) -> str:
    return escaped(sentences(dice, "en", limit))


def _block(dice: Dice, _actor: str, now: int) -> Record:
    record = _made("app.bsky.graph.block", f"{_created(now)},{_somebody(dice)}")
    return _sometimes(dice, now, record, deleted=0.014)


def _listitem(dice: Dice, actor: str, now: int) -> Record:
    listing = f"at://{actor}/app.bsky.graph.list/{tid(now - dice.below(10**13), 0)}"
    record = _made("app.bsky.graph.listitem", f'{_created(now)},"list":"{listing}",{_somebody(dice)}')
    return _sometimes(dice, now, record, deleted=0.066)


def _listblock(dice: Dice, _actor: str, now: int) -> Record:
    listing = f"at://{did(rank(dice.random()))}/app.bsky.graph.list/{tid(now - dice.below(10**13), 0)}"
    record = _made("app.bsky.graph.listblock", f'{_created(now)},"subject":"{listing}"')
    return _sometimes(dice, now, record, deleted=0.04)


def _profile(dice: Dice, _actor: str, now: int) -> Record:
    shown = f'"avatar":{blob(dice, "image/jpeg", 900_000)},"banner":{blob(dice, "image/jpeg", 900_000)}'
    description, shown_as = _title(dice, 20 + dice.below(200)), _title(dice, 5 + dice.below(25))
    names = f'"description":"{description}","displayName":"{shown_as}"'
    pinned = f',"pinnedPost":{popular_post(dice.random(), now).ref}' if dice.chance(0.5) else ""
    record = _made("app.bsky.actor.profile", f"{shown},{_created(now)},{names}{pinned}", "self")
    return _sometimes(dice, now, record, updated=0.605)


def _threadgate(dice: Dice, actor: str, now: int) -> Record:
    gate = tid(now, dice.below(32))
    allow = dice.pick(("[]", '[{"$type":"app.bsky.feed.threadgate#followingRule"}]'))
    post = f'"post":"at://{actor}/app.bsky.feed.post/{gate}"'
    body = f'"allow":{allow},{_created(now)},"hiddenReplies":[],{post}'
    return _sometimes(dice, now, _made("app.bsky.feed.threadgate", body, gate), updated=0.11)


def _postgate(dice: Dice, actor: str, now: int) -> Record:
    gate = tid(now, dice.below(32))
    rules = '"embeddingRules":[{"$type":"app.bsky.feed.postgate#disableRule"}]'
    body = (
        f'{_created(now)},"detachedEmbeddingUris":[],{rules},"post":"at://{actor}/app.bsky.feed.post/{gate}"'
    )
    return _made("app.bsky.feed.postgate", body, gate)


def _list(dice: Dice, _actor: str, now: int) -> Record:
    listed = f'"name":"{_title(dice, 20)}","purpose":"app.bsky.graph.defs#curatelist"'
    record = _made("app.bsky.graph.list", f"{_created(now)},{listed}")
    return _sometimes(dice, now, record, deleted=0.12, updated=0.15)


def _starterpack(dice: Dice, actor: str, now: int) -> Record:
    listing = f'"list":"at://{actor}/app.bsky.graph.list/{tid(now - dice.below(10**11), 0)}"'
    names = f'"description":"{_title(dice, 60)}","feeds":[],{listing},"name":"{_title(dice, 25)}"'
    record = _made("app.bsky.graph.starterpack", f"{_created(now)},{names}")
    return _sometimes(dice, now, record, updated=0.74)


def _generator(dice: Dice, _actor: str, now: int) -> Record:
    service = f'"did":"did:web:{name(dice)}.example"'
    names = f'"description":"{_title(dice, 80)}",{service},"displayName":"{_title(dice, 20)}"'
    record = _made("app.bsky.feed.generator", f"{_created(now)},{names}", name(dice))
    return _sometimes(dice, now, record, updated=0.86)


def _updated_post(dice: Dice, _actor: str, now: int) -> Record:
    return Record("app.bsky.feed.post", post_record(dice, now), tid(now - dice.below(10**10), 1), "update")


def _declaration(dice: Dice, _actor: str, _now: int) -> Record:
    allow = dice.pick(("all", "none", "following"))
    return _made("chat.bsky.actor.declaration", f'"allowIncoming":"{allow}"', "self", "update")


# Millionths of all events. Those of app.bsky.* are shares of the 1e9 events of 2024; of the others no figure
# is published, and one of 152 events in July 2026 was of the first.
_SHARES: tuple[tuple[int, Callable[[Dice, str, int], Record]], ...] = (
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
