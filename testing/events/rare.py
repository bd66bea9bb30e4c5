"""The events that are neither likes, posts, reposts, follows nor deletes: everything else a network says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.crowd import popular_post, rank
from testing.events.names import did, iso, tid
from testing.events.oddities import Record
from testing.events.posts import blob, post_record
from testing.events.text import escaped, handle, link, name, sentences

if TYPE_CHECKING:
    from testing.events.dice import Dice

_RELAY_SEQ = 31_500_000_000
"""The relay's sequence number of event 0; identities and accounts carry it."""

_STATUSES = ("deactivated", "deleted", "takendown", "suspended", "throttled", "desynchronized")


def identity(dice: Dice, i: int, actor: str, relayed_us: int) -> str:
    """Return kind and body of an identity event; half of them name the handle."""
    named = f'"handle":"{handle(dice)}",' if dice.chance(0.5) else ""
    body = f'{{"did":"{actor}",{named}"seq":{_RELAY_SEQ + i},"time":"{iso(relayed_us)}"}}'
    return f'"kind":"identity","identity":{body}'


def account(dice: Dice, i: int, actor: str, relayed_us: int) -> str:
    """Return kind and body of an account event; a status only where it is not active."""
    status = dice.pick_zipf(_STATUSES) if dice.chance(0.4) else ""
    active, said = ("false", f',"status":"{status}"') if status else ("true", "")
    body = f'{{"active":{active},"did":"{actor}","seq":{_RELAY_SEQ + i},"time":"{iso(relayed_us)}"{said}}}'
    return f'"kind":"account","account":{body}'


def rare_record(dice: Dice, actor: str, now: int) -> Record:  # noqa: PLR0911 - a table of kinds
    """Return the record of a collection that has no stream of its own, or an updated post."""
    draw = dice.random()
    created = f'"createdAt":"{iso(now)}"'
    subject = f'"subject":"{did(rank(dice.random()))}"'
    if draw < 0.38:
        return _typed("app.bsky.graph.block", f"{created},{subject}")
    if draw < 0.56:
        listing = f"at://{actor}/app.bsky.graph.list/{tid(now - dice.below(10**13), 0)}"
        return _typed("app.bsky.graph.listitem", f'{created},"list":"{listing}",{subject}')
    if draw < 0.76:
        return _profile(dice, created)
    if draw < 0.81:
        gate = tid(now, dice.below(32))
        allow = dice.pick(("[]", '[{"$type":"app.bsky.feed.threadgate#followingRule"}]'))
        post = f'"post":"at://{actor}/app.bsky.feed.post/{gate}"'
        return _typed(
            "app.bsky.feed.threadgate", f'"allow":{allow},{created},"hiddenReplies":[],{post}', gate
        )
    if draw < 0.84:
        return Record(
            "app.bsky.feed.post", post_record(dice, now), tid(now - dice.below(10**10), 1), "update"
        )
    if draw < 0.87:
        allow = dice.pick(("all", "none", "following"))
        return _typed("chat.bsky.actor.declaration", f'"allowIncoming":"{allow}"', "self", "update")
    if draw < 0.90:
        listed = f'"name":"{escaped(sentences(dice, "en", 20))}","purpose":"app.bsky.graph.defs#curatelist"'
        return _typed("app.bsky.graph.list", f"{created},{listed}")
    return _third_party(dice, now, created)


def _typed(collection: str, body: str, rkey: str | None = None, operation: str = "create") -> Record:
    return Record(collection, f'{{"$type":"{collection}",{body}}}', rkey, operation)


def _profile(dice: Dice, created: str) -> Record:
    description = escaped(sentences(dice, "en", 20 + dice.below(200)))
    shown = f'"avatar":{blob(dice, "image/jpeg", 900_000)},"banner":{blob(dice, "image/jpeg", 900_000)}'
    names = f'"description":"{description}","displayName":"{escaped(sentences(dice, "en", 15))}"'
    return _typed(
        "app.bsky.actor.profile",
        f"{shown},{created},{names}",
        "self",
        "update" if dice.chance(0.7) else "create",
    )


def _third_party(dice: Dice, now: int, created: str) -> Record:
    draw = dice.random()
    if draw < 0.5:
        track = f'"artists":[{{"artistName":"{name(dice)}"}}],"duration":{dice.pick(("null", "201", "187"))}'
        played = f'"playedTime":"{iso(now - dice.below(10**9))}","trackName":"{name(dice)} {name(dice)}"'
        body = f'"expiry":"{iso(now + 600_000_000)}","item":{{{track},{played}}},"time":"{iso(now)}"'
        return _typed("fm.teal.alpha.actor.status", body, "self", "update")
    if draw < 0.7:
        content = escaped(sentences(dice, "en", 400 + dice.below(3000)))
        return _typed("com.whtwnd.blog.entry", f'"content":"{content}",{created},"title":"{name(dice)}"')
    if draw < 0.85:
        repository = popular_post(dice.random(), now).uri
        return _typed("sh.tangled.feed.star", f'{created},"subject":"{repository}"')
    return _typed(
        "site.standard.document", f'{created},"path":"{escaped(link(dice))}","title":"{name(dice)}"'
    )
