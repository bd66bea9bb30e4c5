"""Conditions for rows of an account, evaluated by DuckDB."""

from __future__ import annotations

import duckdb
import pytest

from services.shared.errors import BadInput
from services.shared.event import Stream
from services.tools.forget.search import conditions

ME, OTHER = "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "did:plc:z72i7hdynmk6r22z27h6tvur"


def holds(condition: str, **columns: str | bytes | None) -> bool:
    names = ", ".join(
        f"?::{'BLOB' if isinstance(value, bytes) else 'VARCHAR'} AS {name}" for name, value in columns.items()
    )
    query = f"SELECT count(*) FROM (SELECT {names}) WHERE {condition}"  # noqa: S608 - a test's own words
    row = duckdb.execute(query, list(columns.values())).fetchone()
    return row == (1,)


def post(did: str, **columns: str | None) -> dict[str, str | None]:
    names = ("text", "embed", "facets", "labels", "extra", "reply_root_uri", "reply_parent_uri")
    return {"did": did, **dict.fromkeys(names), **columns}


def test_rows_of_the_account_and_no_others() -> None:
    wanted = conditions(ME, mentions=False)
    assert holds(wanted[Stream.POSTS], **post(ME))
    assert not holds(wanted[Stream.POSTS], **post(OTHER, reply_root_uri=f"at://{ME}/a/b"))
    assert Stream.GAPS not in wanted


def test_mentions_are_rows_of_others_that_name_it() -> None:
    wanted = conditions(ME, mentions=True)
    assert holds(wanted[Stream.POSTS], **post(OTHER, reply_parent_uri=f"at://{ME}/app.bsky.feed.post/3k"))
    assert holds(wanted[Stream.POSTS], **post(OTHER, facets=f'[{{"did":"{ME}"}}]'))
    assert holds(wanted[Stream.POSTS], **post(OTHER, text=f"who is {ME}."))
    assert not holds(wanted[Stream.POSTS], **post(OTHER, text="nobody"))
    assert holds(wanted[Stream.FOLLOWS], did=OTHER, subject_did=ME, extra=None)
    assert holds(wanted[Stream.RECORDS], did=OTHER, record=f'{{"subject":"{ME}"}}', extra=None)


def test_a_did_with_the_same_prefix_is_another_account() -> None:
    wanted = conditions("did:web:a.org", mentions=True)
    assert holds(wanted[Stream.FOLLOWS], did=OTHER, subject_did="did:web:a.org", extra=None)
    assert not holds(wanted[Stream.FOLLOWS], did=OTHER, subject_did="did:web:a.org.uk", extra=None)
    assert not holds(wanted[Stream.FOLLOWS], did=OTHER, subject_did="did:web:axorg", extra=None)


def test_a_reject_that_names_the_account_is_matched() -> None:
    wanted = conditions(ME, mentions=False)[Stream.REJECTS]
    assert holds(wanted, frame=b'\xff\x00{"did":"' + ME.encode() + b'"')
    assert not holds(wanted, frame=b'{"did":"' + OTHER.encode() + b'"')


@pytest.mark.parametrize("wrong", ["alice.bsky.social", "", "did:plc:a' OR true --"])
def test_an_invalid_did_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput, match="no DID"):
        conditions(wrong, mentions=False)
