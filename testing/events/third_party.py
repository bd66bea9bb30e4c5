"""Records of other applications on the same network, and names that nobody ever specified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testing.events.crowd import popular_post
from testing.events.names import iso
from testing.events.oddities import Record
from testing.events.posts import blob
from testing.events.text import escaped, link, name, sentences

if TYPE_CHECKING:
    from testing.events.dice import Dice

# Seen once or a few times in the 1e9 events of 2024: wrong case, verbs as records, toys.
_STRAY = (
    "app.bsky.graph.starterPack",
    "app.bsky.graph.unfollow",
    "app.bsky.feed.deleteLike",
    "app.top8.theme",
)


def played(dice: Dice, _actor: str, now: int) -> Record:
    """Return the song that somebody hears."""
    by = f'"artists":[{{"artistName":"{_words(dice)}"}}],"duration":{dice.pick(("null", "201", "187"))}'
    heard = f'"playedTime":"{iso(now - dice.below(10**9))}","releaseName":"{_words(dice)}"'
    told = f'"submissionClientAgent":"{name(dice)}-scrobbler/{dice.below(9)}.{dice.below(30)}"'
    item = f'"item":{{{by},{heard},{told},"trackName":"{_words(dice)}"}}'
    body = f'"expiry":"{iso(now + 600_000_000)}",{item},"time":"{iso(now)}"'
    return _typed("fm.teal.alpha.actor.status", body, "self", "update")


def status(dice: Dice, _actor: str, now: int) -> Record:
    """Return somebody's going live, with the page to watch."""
    said = f'"description":"{escaped(sentences(dice, "en", 40 + dice.below(160)))}"'
    thumb = f'"thumb":{blob(dice, "image/jpeg", 900_000)}'
    page = f'"title":"{escaped(sentences(dice, "en", 25))}","uri":"https://{name(dice)}.tv/{name(dice)}"'
    shown = f'"$type":"app.bsky.embed.external#external",{said},{thumb},{page}'
    embed = f'"embed":{{"$type":"app.bsky.embed.external","external":{{{shown}}}}}'
    minutes = f'"durationMinutes":{30 + dice.below(210)}'
    body = f'"createdAt":"{iso(now)}",{minutes},{embed},"status":"app.bsky.actor.status#live"'
    return _typed("app.bsky.actor.status", body, "self", "update")


def lesser_known(dice: Dice, _actor: str, now: int) -> Record:
    """Return a record of one of many small applications."""
    created, draw = f'"createdAt":"{iso(now)}"', dice.random()
    if draw < 0.3:
        content = escaped(sentences(dice, "en", 400 + dice.below(3000)))
        return _typed("com.whtwnd.blog.entry", f'"content":"{content}",{created},"title":"{name(dice)}"')
    if draw < 0.6:
        return _typed("sh.tangled.feed.star", f'{created},"subject":"{popular_post(dice.random(), now).uri}"')
    if draw < 0.9:
        page = f'"path":"{escaped(link(dice))}","title":"{name(dice)}"'
        return _typed("site.standard.document", f"{created},{page}")
    return _typed(dice.pick(_STRAY), f'{created},"subject":"{name(dice)}"')


def _words(dice: Dice) -> str:
    return " ".join(name(dice).capitalize() for _ in range(1 + dice.below(3)))


def _typed(collection: str, body: str, rkey: str | None = None, operation: str = "create") -> Record:
    return Record(collection, f'{{"$type":"{collection}",{body}}}', rkey, operation)
