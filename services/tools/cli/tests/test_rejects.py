"""Rejects are listed with their reasons, and each is printed byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from services.shared.event import Reason, Reject, Stream
from services.tools.tests.making import START_US, write

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.tests.conftest import Ask

FRAMES = [b"no json", b'{"did":', b"\xff\xfe[bold]", b"x" * 3000]


def reject(root: Path, *frames: bytes, reason: Reason = Reason.NOT_JSON) -> None:
    rows = [Reject(reason, frame, "wss://a.test", START_US + number) for number, frame in enumerate(frames)]
    write(root, Stream.REJECTS, [row.encode() for row in rows])


def test_rejects_are_listed_by_reason_the_newest_first(root: Path, ask: Ask) -> None:
    assert ask("rejects", "list").exit_code == 0
    reject(root, *FRAMES)
    reject(root, b"later", reason=Reason.TOO_DEEP)
    answer = ask("rejects", "list", "--json", "--reason", "not_json")
    reported = json.loads(answer.stdout)
    assert answer.exit_code == 1
    assert reported["by_reason"] == {"not_json": 4, "too_deep": 1}
    assert [one["bytes"] for one in reported["newest"]] == [len(frame) for frame in reversed(FRAMES)]
    assert "\\xff\\xfe[bold]" in ask("rejects", "list").stdout
    assert ask("rejects", "list", "--reason", "bad").exit_code == 2


def test_a_frame_comes_back_byte_for_byte(root: Path, ask: Ask) -> None:
    reject(root, *FRAMES)
    reported = json.loads(ask("rejects", "list", "--json").stdout)
    for one, frame in zip(reversed(reported["newest"]), FRAMES, strict=True):
        assert ask("rejects", "show", one["id"]).stdout_bytes == frame
    for wrong in ("0123456789ab", "'", "ab"):
        assert ask("rejects", "show", wrong).exit_code == 2
