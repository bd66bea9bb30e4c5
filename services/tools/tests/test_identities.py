"""Which handle an account had, and since when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.shared.event import Stream
from services.tools.identities import Span, Told, spans
from services.tools.tests.making import START_US, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask


def identity(did: str, seconds: int, handle: str | None) -> bytes:
    body = {"did": did, "seq": seconds, "time": "2026-09-21T16:00:00.000Z"}
    body |= {} if handle is None else {"handle": handle}
    event = {"did": did, "time_us": START_US + seconds * 1_000_000, "kind": "identity", "identity": body}
    return json.dumps(event).encode()


def test_an_event_without_a_handle_changes_none() -> None:
    told = [
        Told("a", 1, None),
        Told("a", 2, "x"),
        Told("a", 3, None),
        Told("a", 4, "y"),
        Told("a", 5, "x"),
        Told("b", 1, "x"),
    ]
    assert spans(told) == [
        Span("a", "x", 1, 3, 3),
        Span("a", "y", 4, 4, 1),
        Span("a", "x", 5, 5, 1),
        Span("b", "x", 1, 1, 1),
    ]


def test_an_account_is_found_by_did_and_by_any_handle_it_had(root: Path, ask: Ask) -> None:
    events = [
        identity("did:plc:one", 1, "old.test"),
        identity("did:plc:one", 2, "new.test"),
        identity("did:plc:two", 3, "old.test"),
    ]
    write(root, Stream.IDENTITIES, events)
    of_one = json.loads(ask("identities", "did:plc:one", "--json").stdout)
    assert [span["handle"] for span in of_one] == ["old.test", "new.test"]
    by_handle = json.loads(ask("identities", "@Old.test", "--json").stdout)
    assert [(span["did"], span["handle"]) for span in by_handle] == [
        ("did:plc:one", "old.test"),
        ("did:plc:one", "new.test"),
        ("did:plc:two", "old.test"),
    ]
    assert ask("identities", "nobody.test").exit_code == 1
    assert "old.test" in ask("identities", "new.test").stdout


def test_without_an_account_the_newest_are_shown(ask: Ask, truth: dict[Stream, list[bytes]]) -> None:
    told = json.loads(ask("identities", "--json", "--limit", "3").stdout)
    assert len(told) == 3
    assert told[-1]["first_us"] <= max(json.loads(one)["time_us"] for one in truth[Stream.IDENTITIES])
