"""Compactor and erasure change the archive in turn, and a compactor is alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from services.archive.turns import alone, instead, is_asked_for, turn
from services.compactor.tests.archives import BORDER_US, hour_compactor, put
from services.data_writer.tests.feeding import traffic
from services.shared.errors import BrokenInvariant
from services.shared.lifecycle import Stopping
from testing.harness.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


def test_there_is_one_compactor(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(BrokenInvariant, match="another compactor"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_while_a_command_has_its_turn_the_compactor_has_none(tmp_path: Path) -> None:
    with instead(tmp_path, Stopping()) as is_mine, turn(tmp_path) as is_his:
        assert (is_mine, is_his) == (True, False)
    with turn(tmp_path) as is_his:
        assert is_his


def test_a_command_gets_its_turn_after_the_hour_in_hand(tmp_path: Path) -> None:
    put(tmp_path, traffic(100, first_us=BORDER_US))
    got = threading.Event()

    def erase() -> None:
        with instead(tmp_path, Stopping()) as is_mine:
            assert is_mine
            got.set()

    eraser = threading.Thread(target=erase)
    with turn(tmp_path) as is_his:
        assert is_his
        eraser.start()
        wait_for(lambda: is_asked_for(tmp_path), 30, "the command to ask")
        found = hour_compactor(tmp_path).run(close_all=True)
        assert (found.prepared, found.error) == (0, "")
        assert "another command waits" in found.postponed
        assert not got.is_set()
    eraser.join(30)
    assert got.is_set()
    assert hour_compactor(tmp_path).run(close_all=True).prepared > 0


def test_patience_ends_with_the_mend_and_a_stop_ends_it_at_once(tmp_path: Path) -> None:
    with turn(tmp_path):
        with (
            pytest.raises(BrokenInvariant, match="stop the compactor"),
            instead(tmp_path, Stopping(), patience=0),
        ):
            pass
        stopping = Stopping()
        stopping.set()
        with instead(tmp_path, stopping) as is_mine:
            assert not is_mine
