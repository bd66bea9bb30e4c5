"""Valid but unusual records, each of a kind seen on the network: one event in 500."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testing.events.crowd import popular_post, rank, repost_of
from testing.events.names import did, iso, second, tid
from testing.events.text import escaped, name, sentences

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.events.names import Rng


class Record(NamedTuple):
    """One record and its place in the repository."""

    collection: str
    json: str
    rkey: str | None = None
    """None: the event's TID."""
    operation: str = "create"
    counted: bool = False
    """Its repository numbers revisions from 1 instead of by time, as bridges do."""


def odd_record(rng: Rng, created_us: int) -> Record:
    """Return one of the unusual records."""
    return rng.pick(ODDITIES)(rng, created_us)


def _like(rng: Rng, created_us: int, created: str, *, more: str = "") -> Record:
    subject = popular_post(rng.random(), created_us).ref
    json = f'{{"$type":"app.bsky.feed.like","createdAt":"{created}",{more}"subject":{subject}}}'
    return Record("app.bsky.feed.like", json)


def _post(rng: Rng, created: str, *, more: str = "", text: str | None = None) -> Record:
    text = sentences(rng, "en", 80) if text is None else text
    json = f'{{"$type":"app.bsky.feed.post","createdAt":"{created}",{more}"text":"{escaped(text)}"}}'
    return Record("app.bsky.feed.post", json)


def _via(rng: Rng, now: int) -> str:
    return f'"via":{repost_of(did(rank(rng.random())), tid(now, 0))}'


def _bridged(rng: Rng, now: int) -> Record:
    html = f'<p>{sentences(rng, "de", 400)}<br>\u2028<a href="https://{name(rng)}.social/@{name(rng)}">&amp;</a></p>'
    more = f'"bridgyOriginalText":"{escaped(html)}","bridgyOriginalUrl":"https://{name(rng)}.social/{now}",'
    return _post(rng, iso(now), more=more)._replace(counted=True)


def _nested(_rng: Rng, _now: int) -> Record:
    # The relay's CBOR decoder allows 32 levels; this leaves room for the envelope.
    levels = 24
    return Record(
        "org.example.nested.tree",
        f'{{"$type":"org.example.nested.tree","root":{"[" * levels}{{"leaf":null}}{"]" * levels}}}',
    )


def _numbers(rng: Rng, now: int) -> Record:
    return Record(
        "app.example.weather.reading",
        f'{{"$type":"app.example.weather.reading","at":{now},"big":9223372036854775807,'
        f'"flag":false,"huge":{2**70 + rng.below(9)},"low":-9223372036854775808,"none":null,'
        f'"temperature":{rng.random() * 40:.3f},"tiny":1.5e-9}}',
    )


def _origin(rng: Rng, now: int) -> Record:
    actor = did(rank(rng.random()))
    server = f"did:web:{name(rng)}.{name(rng)}.example"
    where = f'"broadcaster":"did:web:{name(rng)}.example","server":"{server}","streamer":"{actor}"'
    address = f"wss://{server[8:]}/xrpc/place.stream.live.subscribeSegments?streamer={actor}"
    return Record(
        "place.stream.broadcast.origin",
        f'{{"$type":"place.stream.broadcast.origin",{where},"updatedAt":"{iso(now)}","websocketURL":"{address}"}}',
        f"{actor}::{server}",
        "update",
    )


def _untimed(rng: Rng, _now: int) -> Record:
    json = f'{{"$type":"fm.teal.alpha.feed.play","trackName":"{name(rng)}","artists":[],"duration":null}}'
    return Record("fm.teal.alpha.feed.play", json)


def _quoted(rng: Rng, now: int) -> Record:
    more = f'"langs":[],"lightning":"{name(rng)}","via":"a client\'s name",'
    return _post(rng, iso(now), more=more)


ODDITIES: tuple[Callable[[Rng, int], Record], ...] = (
    lambda rng, _now: Record(
        "social.popfeed.feed.post",
        f'{{"$type":"social.popfeed.feed.post","createdAt":{{}},"title":"{name(rng)}"}}',
    ),
    _untimed,
    lambda rng, now: _like(rng, now, f"{second(now // 1_000_000)}.{now % 1_000_000:06d}"),
    lambda rng, now: _like(rng, now, f"{second(now // 1_000_000)}+00:00"),
    lambda rng, now: _like(rng, now, f"{second(now // 1_000_000)}-05:00"),
    lambda rng, now: _like(rng, now, f"{second(now // 1_000_000)}.{now % 1_000_000:06d}Z"),
    lambda rng, now: _like(rng, now, f"{second(now // 1_000_000)}Z"),
    lambda rng, now: _like(rng, now, iso(now), more='"record_type":"app.bsky.feed.like",'),
    lambda rng, now: _like(rng, now, iso(now), more=f"{_via(rng, now)},"),
    lambda rng, now: _post(rng, f"2012-{1 + now % 12:02d}-03T04:05:06.000Z"),
    lambda rng, _now: _post(rng, "0001-01-01T00:00:00.000Z"),
    lambda rng, _now: _post(rng, "2999-12-31T23:59:59.999Z"),
    lambda rng, now: _post(rng, iso(now), text="left\0right"),
    lambda rng, now: _post(rng, iso(now), text=""),
    lambda rng, now: _post(rng, iso(now), more='"langs":[],'),
    lambda rng, now: _post(rng, iso(now), more='"langs":["en-US","pt-BR","zh-Hant-TW"],'),
    lambda rng, now: _post(rng, iso(now), more='"langs":["en","en"],"tags":[],"facets":[],'),
    lambda rng, now: Record(
        "app.bsky.feed.post", f'{{"createdAt":"{iso(now)}","text":"{escaped(sentences(rng, "es", 60))}"}}'
    ),
    lambda rng, _now: Record("xyz.example.list", f'[1,"{name(rng)}",null,{{"a":true}}]'),
    lambda rng, _now: Record("xyz.example.word", f'"{name(rng)}"'),
    _bridged,
    _nested,
    _numbers,
    _origin,
    _quoted,
)
