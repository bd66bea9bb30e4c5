"""Legal but odd records, each of a kind really seen on the network: one event in 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testing.events.crowd import popular_post, rank, repost_of
from testing.events.names import did, iso, second, tid
from testing.events.text import escaped, name, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.events.dice import Dice


class Record(NamedTuple):
    """One record and where it stands in its repository."""

    collection: str
    json: str
    rkey: str | None = None
    """None: a TID of the event's own."""
    operation: str = "create"
    counted: bool = False
    """Its repository counts revisions from 1 instead of telling the time, as bridges do."""


def odd_record(dice: Dice, created_us: int) -> Record:
    """Return one of the oddities."""
    return dice.pick(ODDITIES)(dice, created_us)


def _like(dice: Dice, created_us: int, created: str, *, more: str = "") -> Record:
    subject = popular_post(dice.random(), created_us).ref
    json = f'{{"$type":"app.bsky.feed.like","createdAt":"{created}",{more}"subject":{subject}}}'
    return Record("app.bsky.feed.like", json)


def _post(dice: Dice, created: str, *, more: str = "", text: str | None = None) -> Record:
    text = sentences(dice, "en", 80) if text is None else text
    json = f'{{"$type":"app.bsky.feed.post","createdAt":"{created}",{more}"text":"{escaped(text)}"}}'
    return Record("app.bsky.feed.post", json)


def _via(dice: Dice, now: int) -> str:
    return f'"via":{repost_of(did(rank(dice.random())), tid(now, 0))}'


def _bridged(dice: Dice, now: int) -> Record:
    html = f'<p>{sentences(dice, "de", 400)}<br>\u2028<a href="https://{name(dice)}.social/@{name(dice)}">&amp;</a></p>'
    more = f'"bridgyOriginalText":"{escaped(html)}","bridgyOriginalUrl":"https://{name(dice)}.social/{now}",'
    return _post(dice, iso(now), more=more)._replace(counted=True)


def _nested(_dice: Dice, _now: int) -> Record:
    # The relay's CBOR decoder allows 32 levels; this leaves room for the envelope.
    levels = 24
    return Record(
        "org.example.nested.tree",
        f'{{"$type":"org.example.nested.tree","root":{"[" * levels}{{"leaf":null}}{"]" * levels}}}',
    )


def _numbers(dice: Dice, now: int) -> Record:
    return Record(
        "app.example.weather.reading",
        f'{{"$type":"app.example.weather.reading","at":{now},"big":9223372036854775807,'
        f'"flag":false,"huge":{2**70 + dice.below(9)},"low":-9223372036854775808,"none":null,'
        f'"temperature":{dice.random() * 40:.3f},"tiny":1.5e-9}}',
    )


def _origin(dice: Dice, now: int) -> Record:
    actor = did(rank(dice.random()))
    server = f"did:web:{name(dice)}.{name(dice)}.example"
    where = f'"broadcaster":"did:web:{name(dice)}.example","server":"{server}","streamer":"{actor}"'
    address = f"wss://{server[8:]}/xrpc/place.stream.live.subscribeSegments?streamer={actor}"
    return Record(
        "place.stream.broadcast.origin",
        f'{{"$type":"place.stream.broadcast.origin",{where},"updatedAt":"{iso(now)}","websocketURL":"{address}"}}',
        f"{actor}::{server}",
        "update",
    )


def _untimed(dice: Dice, _now: int) -> Record:
    json = f'{{"$type":"fm.teal.alpha.feed.play","trackName":"{name(dice)}","artists":[],"duration":null}}'
    return Record("fm.teal.alpha.feed.play", json)


def _quoted(dice: Dice, now: int) -> Record:
    more = f'"langs":[],"lightning":"{name(dice)}","via":"a client\'s name",'
    return _post(dice, iso(now), more=more)


ODDITIES: tuple[Callable[[Dice, int], Record], ...] = (
    lambda dice, _now: Record(
        "social.popfeed.feed.post",
        f'{{"$type":"social.popfeed.feed.post","createdAt":{{}},"title":"{name(dice)}"}}',
    ),
    _untimed,
    lambda dice, now: _like(dice, now, f"{second(now // 1_000_000)}.{now % 1_000_000:06d}"),
    lambda dice, now: _like(dice, now, f"{second(now // 1_000_000)}+00:00"),
    lambda dice, now: _like(dice, now, f"{second(now // 1_000_000)}-05:00"),
    lambda dice, now: _like(dice, now, f"{second(now // 1_000_000)}.{now % 1_000_000:06d}Z"),
    lambda dice, now: _like(dice, now, f"{second(now // 1_000_000)}Z"),
    lambda dice, now: _like(dice, now, iso(now), more='"record_type":"app.bsky.feed.like",'),
    lambda dice, now: _like(dice, now, iso(now), more=f"{_via(dice, now)},"),
    lambda dice, now: _post(dice, f"2012-{1 + now % 12:02d}-03T04:05:06.000Z"),
    lambda dice, _now: _post(dice, "0001-01-01T00:00:00.000Z"),
    lambda dice, _now: _post(dice, "2999-12-31T23:59:59.999Z"),
    lambda dice, now: _post(dice, iso(now), text="left\0right"),
    lambda dice, now: _post(dice, iso(now), text=""),
    lambda dice, now: _post(dice, iso(now), more='"langs":[],'),
    lambda dice, now: _post(dice, iso(now), more='"langs":["en-US","pt-BR","zh-Hant-TW"],'),
    lambda dice, now: _post(dice, iso(now), more='"langs":["en","en"],"tags":[],"facets":[],'),
    lambda dice, now: Record(
        "app.bsky.feed.post", f'{{"createdAt":"{iso(now)}","text":"{escaped(sentences(dice, "es", 60))}"}}'
    ),
    lambda dice, _now: Record("xyz.example.list", f'[1,"{name(dice)}",null,{{"a":true}}]'),
    lambda dice, _now: Record("xyz.example.word", f'"{name(dice)}"'),
    _bridged,
    _nested,
    _numbers,
    _origin,
    _quoted,
)
