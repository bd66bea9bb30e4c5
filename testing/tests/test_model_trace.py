"""Traces in the words of scenarios: the moments of faults, and one line for a person."""

from __future__ import annotations

import pytest

from testing.proof.model.labels import Fault, Label, Move
from testing.proof.model.trace import line, moments

START = (Label(Move.START, (0,)), Label(Move.PLAN, (1,)), Label(Move.NOTE, (1,)), Label(Move.BEGIN, (1,)))
PUSH = Label(Move.BUFFER, (0, 1))
CLAIM = (Label(Move.ROUND, (0,)), Label(Move.CLAIM, (0,)))


@pytest.mark.parametrize(
    ("trace", "told"),
    [
        ((Label(Move.RESUME), Label(Fault.INGESTER_KILLED)), "ingester killed after receive"),
        ((PUSH, *CLAIM, Label(Fault.INGESTER_KILLED)), "ingester killed after buffer"),
        ((*CLAIM, Label(Move.SYNC), PUSH, Label(Fault.WRITER_KILLED)), "writer killed after commit"),
        ((*CLAIM, Label(Move.COMMIT), Label(Fault.VOLUME_LOST)), "volume lost in a round"),
        ((*CLAIM, Label(Move.MARK), PUSH, Label(Fault.POWER_CUT)), "power cut after checkpoint"),
        ((Label(Fault.VOLUME_LOST),), "volume lost after start"),
        ((PUSH, Label(Fault.PUSH_LATE, (2,))), "push delayed"),
    ],
)
def test_a_fault_is_placed_by_what_its_victim_did_last(trace: tuple[Label, ...], told: str) -> None:
    assert moments(trace) == (told,)


def test_a_line_leaves_out_the_start_and_names_events() -> None:
    assert line((*START, Label(Move.RESUME), PUSH)) == "resume; buffer 0,1"
