"""One compactor at a time, which yields to commands that take `exclusive`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from services.archive.locks import compactor_lock, compactor_pass, exclusive, is_exclusive_wanted
from services.compactor.tests.archives import BORDER_US, hour_compactor, put
from services.data_writer.tests.feeding import traffic
from services.shared.errors import BrokenInvariant
from services.shared.lifecycle import Stopping
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def test_there_is_one_compactor(tmp_path: Path) -> None:
    with (
        compactor_lock(tmp_path),
        pytest.raises(BrokenInvariant, match="another compactor"),
        compactor_lock(tmp_path),
    ):
        pass
    with compactor_lock(tmp_path):
        pass


def test_the_compactor_makes_no_pass_while_a_command_is_exclusive(tmp_path: Path) -> None:
    with exclusive(tmp_path, Stopping()) as is_exclusive, compactor_pass(tmp_path) as may_pass:
        assert (is_exclusive, may_pass) == (True, False)
    with compactor_pass(tmp_path) as may_pass:
        assert may_pass


def test_a_command_becomes_exclusive_after_the_current_hour(tmp_path: Path) -> None:
    put(tmp_path, traffic(100, first_us=BORDER_US))
    got = threading.Event()

    def erase() -> None:
        with exclusive(tmp_path, Stopping()) as is_exclusive:
            assert is_exclusive
            got.set()

    eraser = threading.Thread(target=erase)
    with compactor_pass(tmp_path) as may_pass:
        assert may_pass
        eraser.start()
        wait_for(lambda: is_exclusive_wanted(tmp_path), 30, "the command to ask")
        found = hour_compactor(tmp_path).run(close_all=True)
        assert (found.prepared, found.error) == (0, "")
        assert "another command waits" in found.postponed
        assert not got.is_set()
    eraser.join(30)
    assert got.is_set()
    assert hour_compactor(tmp_path).run(close_all=True).prepared > 0


def test_waiting_for_exclusive_times_out_with_the_remedy_and_ends_at_once_when_stopped(
    tmp_path: Path,
) -> None:
    with compactor_pass(tmp_path):
        with (
            pytest.raises(BrokenInvariant, match="stop the compactor"),
            exclusive(tmp_path, Stopping(), timeout=0),
        ):
            pass
        stopping = Stopping()
        stopping.set()
        with exclusive(tmp_path, stopping) as is_exclusive:
            assert not is_exclusive
