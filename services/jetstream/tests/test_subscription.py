"""The subscription, parsed as the two kinds of host parse it."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jetstream.subscription import LONGEST_URL, Filter, Subscription, subscribe
from testing.fakes.jetstream.subscription import parse, parse_hello

POSTS = "app.bsky.feed.post"
DIDS = tuple(f"did:plc:{i:024}" for i in range(10_000))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("a.example", "wss://a.example/subscribe"),
        ("a.example/", "wss://a.example/subscribe"),
        ("wss://a.example", "wss://a.example/subscribe"),
        ("ws://127.0.0.1:6008/", "ws://127.0.0.1:6008/subscribe"),
        ("[::1]:6008", "wss://[::1]:6008/subscribe"),
    ],
)
def test_tls_is_used_unless_the_host_has_another_scheme(host: str, url: str) -> None:
    assert subscribe(host, Filter(), None) == Subscription(url, None)


@pytest.mark.parametrize(
    ("position", "compress", "skip_larger", "query"),
    [
        (None, False, None, {}),
        (0, False, None, {"cursor": ["0"]}),
        (1_783_166_400_000_000, False, None, {"cursor": ["1783166400000000"]}),
        (7, True, 5, {"cursor": ["7"], "compress": ["true"], "maxMessageSizeBytes": ["5"]}),
    ],
)
def test_the_url_holds_only_what_is_requested(
    position: int | None,
    compress: bool,  # noqa: FBT001 - a parameter of the table
    skip_larger: int | None,
    query: dict[str, list[str]],
) -> None:
    subscription = subscribe("a", Filter(), position, compress=compress, skip_larger=skip_larger)
    assert parse_qs(urlsplit(subscription.url).query) == query
    assert subscription.hello is None


def test_large_events_are_not_skipped_by_default() -> None:
    subscription = subscribe("a", Filter(dids=DIDS), 1)
    assert "maxMessageSizeBytes" not in subscription.url
    assert subscription.hello is not None
    assert json.loads(subscription.hello)["payload"]["maxMessageSizeBytes"] == 0


@given(
    st.lists(st.sampled_from([POSTS, "app.bsky.graph.*", "a.b.c"]), unique=True),
    st.integers(0, len(DIDS)),
    st.integers(10**15, 2**62),
    st.booleans(),
    st.sampled_from(["v1", "v2"]),
)
def test_a_host_of_either_kind_understands_the_same_filter(
    collections: list[str],
    dids: int,
    position: int,
    compress: bool,  # noqa: FBT001
    kind: str,
) -> None:
    wanted = Filter(tuple(collections), DIDS[:dids])
    subscription = subscribe("a.example", wanted, position, compress=compress)
    path = subscription.url.removeprefix("wss://a.example")
    parsed = parse(path, {}, "v1" if kind == "v1" else "v2")
    assert (parsed.cursor, parsed.compress) == (position, compress)
    assert len(subscription.url) <= LONGEST_URL, "proxies refuse longer ones"
    assert parsed.require_hello == (subscription.hello is not None), (
        "otherwise the replay would begin unfiltered"
    )
    filters = parsed.filters
    if subscription.hello is not None:
        hello = parse_hello(json.loads(subscription.hello), "v1" if kind == "v1" else "v2")
        assert hello is not None
        filters = hello
    assert filters.dids == set(wanted.dids)
    exact = {name for name in collections if not name.endswith("*")}
    assert filters.collections == exact
    assert filters.max_bytes == 0
    assert set(filters.prefixes) == {name[:-1] for name in collections if name.endswith("*")}
