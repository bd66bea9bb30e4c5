"""Cursors are encoded without loss and ordered by epoch and push, never by time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.cursor import Cursor, Window, decode_cursor
from services.shared.errors import BrokenInvariant

texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(0, 2**63 - 1)
cursors = st.builds(
    Cursor,
    time_us=numbers,
    epoch=numbers,
    push=numbers,
    nonce=texts,
    host=texts,
    kind=st.sampled_from(["", "v1", "v2"]),
    seq=st.none() | numbers,
    identity=texts,
    windows=st.lists(st.builds(Window, numbers, numbers, texts), max_size=3).map(tuple),
)


@given(cursors)
def test_an_encoded_cursor_is_decoded_again(cursor: Cursor) -> None:
    assert decode_cursor(cursor.encode(), "here") == cursor


@given(cursors, cursors)
def test_a_later_epoch_is_newer_and_within_it_a_later_push(one: Cursor, other: Cursor) -> None:
    if one.epoch != other.epoch:
        assert (one.age() < other.age()) == (one.epoch < other.epoch)
    else:
        assert (one.age() < other.age()) == (one.push < other.push)


def test_an_earlier_time_does_not_make_a_cursor_older() -> None:
    assert Cursor(time_us=5, epoch=1, push=2).age() > Cursor(time_us=9, epoch=1, push=1).age()


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"null", b"[1]", b'{"time_us":1}', b'{"time_us":"1","epoch":1,"push":1}', b"\xff"]
)
def test_an_invalid_cursor_is_refused_with_place_and_remedy(raw: bytes) -> None:
    with pytest.raises(BrokenInvariant, match=r"^likes\.json holds no cursor.*delete it"):
        decode_cursor(raw, "likes.json")


def test_a_field_of_a_later_version_is_ignored() -> None:
    assert decode_cursor(b'{"time_us":1,"epoch":2,"push":3,"more":4}', "") == Cursor(1, 2, 3)
