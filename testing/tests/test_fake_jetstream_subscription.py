"""Query parameters and hello messages: every limit, and every refusal with the real servers' text."""

from __future__ import annotations

from typing import Any

import pytest

from testing.fakes.jetstream.subscription import Filters, Kind, Refused, parse, parse_hello

POST, LIKE = "app.bsky.feed.post", "app.bsky.feed.like"
OPTIONS = "invalid subscriber options"
MANY = [f"wantedCollections=a.b.c{n}" for n in range(101)]
PEOPLE = [f"wantedDids=did:plc:{n}" for n in range(10_001)]
BOTH: tuple[Kind, ...] = ("v1", "v2")


def asked(*parameters: str) -> str:
    return "/subscribe?" + "&".join(parameters)


@pytest.mark.parametrize("kind", BOTH)
def test_no_parameters_mean_all_events_live(kind: Kind) -> None:
    subscription = parse("/subscribe", {}, kind)
    assert subscription.filters == Filters()
    assert subscription.cursor is None
    assert not subscription.compress
    assert not subscription.require_hello
    assert parse("/subscribe?cursor=&unknown=1", {}, kind) == subscription


@pytest.mark.parametrize("kind", BOTH)
def test_collections_are_exact_or_prefixes(kind: Kind) -> None:
    filters = parse(
        asked(f"wantedCollections={POST}", "wantedCollections=app.bsky.graph.*"), {}, kind
    ).filters
    assert filters.match("did:plc:x", POST)
    assert filters.match("did:plc:x", "app.bsky.graph.follow")
    assert not filters.match("did:plc:x", LIKE)
    assert not filters.match("did:plc:x", "app.bsky.graph")
    assert filters.match("did:plc:x", None)


def test_two_segments_make_a_prefix() -> None:
    assert parse(asked("wantedCollections=app.bsky.*"), {}, "v1").filters.match("did:plc:x", POST)


@pytest.mark.parametrize("kind", BOTH)
def test_dids_filter_every_kind_of_event(kind: Kind) -> None:
    filters = parse(asked("wantedDids=did:plc:a", "wantedDids=did:web:b.example"), {}, kind).filters
    assert filters.match("did:plc:a", LIKE)
    assert filters.match("did:web:b.example", None)
    assert not filters.match("did:plc:c", None)


@pytest.mark.parametrize(
    ("kind", "parameters", "text"),
    [
        ("v1", ["wantedCollections=app.bsky.feed.fo*"], f"{OPTIONS}: invalid collection: app.bsky.feed.fo*"),
        ("v2", ["wantedCollections=nonsense"], f"{OPTIONS}: invalid collection: nonsense"),
        ("v1", MANY, f"{OPTIONS}: too many wanted collections"),
        ("v1", ["wantedCollections=a.b.*"] * 101, f"{OPTIONS}: too many wanted collections"),
        ("v2", MANY, f"{OPTIONS}: too many wanted collections: > 100"),
        ("v1", ["wantedDids=nobody"], OPTIONS),
        ("v2", ["wantedDids=nobody"], f"{OPTIONS}: invalid DID: nobody"),
        ("v1", PEOPLE, f"{OPTIONS}: too many wanted DIDs"),
        ("v2", PEOPLE, f"{OPTIONS}: too many wanted DIDs: 10001 > 10000"),
        ("v1", ["cursor=soon"], "invalid cursor: soon"),
        ("v1", ["cursor=9223372036854775808"], "invalid cursor: 9223372036854775808"),
        ("v2", ["cursor=1.5"], 'subscribe: invalid cursor: "1.5"'),
        ("v2", ["cursor=-1"], 'subscribe: invalid cursor: "-1"'),
    ],
)  # fmt: skip
def test_refusals_have_the_text_of_the_servers(kind: Kind, parameters: list[str], text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(asked(*parameters), {}, kind)
    assert refused.value.status == 400
    assert refused.value.text == text


def test_values_at_the_limit_pass_and_beyond_are_refused() -> None:
    parse(asked(*MANY[1:]), {}, "v1")
    parse(asked(*["wantedCollections=a.b.*"] * 101), {}, "v2")
    parse(asked(*["wantedCollections=a.b.c"] * 101), {}, "v1")
    parse(asked(*PEOPLE[1:]), {}, "v2")
    assert parse("/subscribe?cursor=-5", {}, "v1").cursor == -5


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("", 0), ("-1", 0), ("many", 0), ("4294967296", 0), ("4294967295", 2**32 - 1)],
)
def test_an_invalid_size_means_no_limit(text: str, size: int) -> None:
    assert parse(f"/subscribe?maxMessageSizeBytes={text}", {}, "v1").filters.max_bytes == size


def test_compression_by_query_or_header_but_not_both() -> None:
    deflate = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    assert parse("/subscribe?compress=true", {}, "v1").compress
    assert parse("/subscribe", {"Socket-Encoding": "zstd"}, "v2").compress
    assert not parse("/subscribe?compress=1", {}, "v1").compress
    assert parse("/subscribe?compress=true", deflate, "v1").compress
    with pytest.raises(Refused):
        parse("/subscribe?compress=true", deflate, "v2")


def test_a_hello_replaces_every_filter() -> None:
    payload: dict[str, Any] = {"wantedCollections": [POST], "maxMessageSizeBytes": 9}
    filters = parse_hello({"type": "options_update", "payload": payload}, "v1")
    assert filters == Filters(collections=frozenset({POST}), max_bytes=9)
    assert parse_hello({"type": "options_update", "payload": {}}, "v1") == Filters()
    assert parse_hello({"type": "greeting"}, "v1") is None
    with pytest.raises(Refused):
        parse_hello({"type": "options_update", "payload": {"wantedCollections": ["?"]}}, "v1")
