"""Hypothesis strategies for the oddest events that validation accepts."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from services.shared.event import JETSTREAM_STREAMS, Stream

NOON_US = 1_783_166_400_000_000

COLLECTION_OF = {
    Stream.POSTS: "app.bsky.feed.post",
    Stream.LIKES: "app.bsky.feed.like",
    Stream.REPOSTS: "app.bsky.feed.repost",
    Stream.FOLLOWS: "app.bsky.graph.follow",
    Stream.RECORDS: "org.example.anything",
}


# JSON is drawn as text, not as values, to include duplicate keys, 1e999, -0 and spaces.
text = st.text(st.characters(codec="utf-8"), max_size=12).map(json.dumps)
int64 = st.integers(-(2**63), 2**63 - 1).map(str)
number = st.one_of(
    st.integers().map(str),
    st.integers(10**30, 10**40).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1e999", "-1E+999", "-0", "-0.0", "1.50", "1e-5", "9" * 4400]),
)
scalar = st.one_of(st.sampled_from(["null", "true", "false", '"\\u0000"', "[ ]", "{ }"]), number, text)


def object_of(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"


json_text = st.recursive(
    scalar,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]")
        | st.lists(st.tuples(text | st.sampled_from(['"a"', '"uri"', '"$type"']), inner), max_size=4).map(
            object_of
        )
    ),
    max_leaves=8,
)
instant = st.sampled_from(
    [
        '"2026-07-04T14:38:02.123Z"',
        '"2026-07-04T14:38:02+00:00"',
        '"2026-07-04T14:38:02.123456789-05:00"',
        '"2023-08-26T12:19:50.226623"',
        '"2026-02-30T00:00:00.000Z"',
        '"2026-06-30T23:59:60.000Z"',
        '"0000-01-01T00:00:00.000Z"',
        '"0001-01-01T00:00:00.000Z"',
        '"0001-01-01T00:00:00.000+14:00"',
        '"9999-12-31T23:59:59.999Z"',
        '"1969-12-31T23:59:59.999Z"',
        '"2026-07-04 14:38:02.123Z"',
        '"yesterday"',
    ]
)


@st.composite
def object_like(draw: st.DrawFn, /, **known: st.SearchStrategy[str]) -> str:
    """Draw an object with most of the known keys, a few of another type, and now and then others."""
    pairs = []
    for key, plausible in known.items():
        choice = draw(st.integers(0, 9))
        if choice:
            pairs.append(
                (json.dumps(key.replace("_type", "$type")), draw(plausible if choice > 1 else json_text))
            )
    if not draw(st.integers(0, 3)):
        pairs += draw(st.lists(st.tuples(text | st.just('"createdAt"'), json_text), max_size=2))
    return object_of(draw(st.permutations(pairs)))


ref = object_like(uri=text, cid=text)
texts = st.lists(text, max_size=3).map(lambda items: "[" + ",".join(items) + "]")
subject = {"createdAt": instant, "subject": ref, "via": ref}


def record_like(stream: Stream) -> st.SearchStrategy[str]:
    kind = st.just(json.dumps(COLLECTION_OF[stream]))
    if stream is Stream.POSTS:
        fields = {"text": text, "langs": texts, "tags": texts, "reply": object_like(root=ref, parent=ref)}
        fields |= {"embed": json_text, "facets": json_text, "labels": json_text, "createdAt": instant}
        return object_like(_type=kind, **fields)
    if stream is Stream.FOLLOWS:
        return object_like(_type=kind, createdAt=instant, subject=text)
    return object_like(_type=kind, **subject)


@st.composite
def any_event(draw: st.DrawFn) -> bytes:
    """Draw the JSON of an event as odd as validation lets through."""
    stream = draw(st.sampled_from(JETSTREAM_STREAMS))
    kind = {Stream.IDENTITIES: "identity", Stream.ACCOUNTS: "account"}.get(stream, "commit")
    did = draw(text)
    if kind == "commit":
        operation = draw(st.sampled_from(["create", "create", "update", "delete", "resurrect"]))
        body = [("rev", draw(text)), ("operation", json.dumps(operation)), ("rkey", draw(text))]
        body.append(("collection", json.dumps(COLLECTION_OF[stream])))
        if operation in ("create", "update") or draw(st.booleans()):
            body.append(("record", draw(record_like(stream) if draw(st.integers(0, 5)) else json_text)))
        body += draw(st.sampled_from([[], [("cid", draw(text))], [("cid", draw(json_text))]]))
    else:
        body = [("seq", draw(int64)), ("did", draw(st.sampled_from([did, "null"]) | text))]
        body += [
            ("time", draw(instant)),
            ("active", "true"),
            ("handle", draw(text)),
            ("status", draw(json_text)),
        ]
        body = body[:1] + draw(st.lists(st.sampled_from(body[1:]), unique_by=lambda pair: pair[0]))
    if draw(st.integers(0, 3)) == 0:
        body += draw(st.sampled_from([[("odd", draw(json_text))], [("did", draw(json_text))]]))
    event = [("did", did), ("kind", json.dumps(kind)), (kind, "")]
    event.append(("time_us", str(draw(st.integers(0, 253_402_300_799_999_999) | st.just(NOON_US)))))
    event += draw(st.sampled_from([[], [], [("cursor", draw(int64))], [("cursor", draw(json_text))]]))
    event += draw(st.sampled_from([[], [], [("more", draw(json_text))], [("account" + kind, "{}")]]))
    pairs = [
        (json.dumps(key), value or object_of([(json.dumps(k), v) for k, v in body])) for key, value in event
    ]
    return object_of(draw(st.permutations(pairs))).encode()
