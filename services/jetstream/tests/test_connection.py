"""The state of a connection: its methods record it, and no other module writes it."""

from __future__ import annotations

import ast

import pytest

from services.jetstream.connection import ConnectionState, DisconnectReason
from services.jetstream.resume import ResumeHint, ResumePlan
from services.shared.cursor import Cursor, Window
from testing.harness.daemons import REPOSITORY

OWNER = REPOSITORY / "services/jetstream/connection.py"
USERS = ("services/jetstream", "services/tools/repair")


def connection(window: Window | None = None) -> ConnectionState:
    plan = ResumePlan("h", 10**15, exact=False, hint=ResumeHint(), cursor=Cursor(10**15, 1, 0))
    return ConnectionState(plan, 5.0, window)


@pytest.mark.parametrize("later", [DisconnectReason.SILENT, DisconnectReason.CLOSED])
def test_the_first_disconnect_reason_is_kept(later: DisconnectReason) -> None:
    one, closed = connection(), list[int]()
    one.opened(lambda: closed.append(1))
    one.end(DisconnectReason.STEPPED_BACK, since_us=7)
    one.end(later, discard=True, since_us=9)
    assert (one.disconnect_reason, one.since_us, one.is_discarded) == (DisconnectReason.STEPPED_BACK, 7, True)
    assert closed, "and the connection is closed"


def test_a_connection_that_is_not_open_can_be_ended() -> None:
    one = connection()
    one.end(DisconnectReason.PAUSED)
    assert one.disconnect_reason is DisconnectReason.PAUSED


def test_frames_are_counted_until_they_are_pushed() -> None:
    one = connection()
    one.received(7.0)
    one.queued(3)
    one.dequeued(2)
    assert (one.has_received, one.last_frame_at, one.unpushed) == (True, 7.0, 1)


def test_a_complete_window_needs_no_further_frames() -> None:
    one = connection(Window(1, 2, "h"))
    one.complete_window()
    assert (one.is_window_complete, one.is_discarded, one.disconnect_reason) == (True, True, None)


def test_only_its_own_methods_write_the_state_of_a_connection() -> None:
    state = set(ConnectionState.__slots__)
    files = [path for folder in USERS for path in (REPOSITORY / folder).rglob("*.py") if path != OWNER]
    assert len(files) > 20
    written = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {ast.unparse(node)}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if node.attr in state and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    ]
    assert written == []
