"""The model: no violation with all rules, and without each rule the violation that its row names."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from dataclasses import fields

import pytest

from testing.harness.daemons import REPOSITORY
from testing.proof.model import __main__ as program
from testing.proof.model.explore import breadth_first, walk
from testing.proof.model.invariants import Violation, user_visible
from testing.proof.model.labels import Fault, Label, Move, describe_faults, line
from testing.proof.model.rules import ALL, Bounds, Model, Rules
from testing.proof.model.table import BOTH, ROWS, THREE, TWO, Row

BY_NAME = {row.name: row for row in ROWS}
FEW_FAULTS = [row for row in ROWS if row.violation is not Violation.NONE and row.bounds.faults <= 2]
NEVER_ALONE = {"events_first"}
"""Matters only where another rule is left out."""
UNSEEN = {"sync_before_read"}
"""Shows only with four faults, more than are explored."""


@pytest.mark.parametrize("bounds", [Bounds(TWO, 1), Bounds(BOTH, 1, batch=1), Bounds(THREE, 1)], ids=str)
def test_with_all_rules_nothing_is_lost_or_doubled_and_no_invariant_breaks(bounds: Bounds) -> None:
    found = breadth_first(Model(bounds))
    assert found.violation is Violation.NONE, line(found.trace)
    assert found.ends > 0, "no run reached an end"
    assert found.states > 4_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_without_a_rule_there_is_the_violation_that_its_row_names(row: Row) -> None:
    assert row.found.violation is row.violation, line(row.found.trace)
    assert bool(row.found.trace) == (row.violation is not Violation.NONE)


@pytest.mark.parametrize("row", FEW_FAULTS, ids=lambda row: row.name)
def test_with_one_fault_less_there_is_no_violation_without_the_rule(row: Row) -> None:
    """So every fault of the trace is needed."""
    fewer = row.bounds._replace(faults=len(row.found.faults()) - 1)
    assert breadth_first(Model(fewer, ALL.without(*row.left_out)), user_visible).violation is Violation.NONE


def test_every_rule_has_a_row() -> None:
    shown = {name for row in ROWS for name in row.left_out}
    assert {field.name for field in fields(Rules)} - shown == UNSEEN
    assert {name for row in ROWS for name in row.left_out if len(row.left_out) == 1} | NEVER_ALONE == shown


def test_hashes_distinguish_all_states() -> None:
    model = Model(Bounds(TWO, 1))
    assert breadth_first(model, key=lambda state: state).states == breadth_first(model).states


def test_shortest_traces_do_not_depend_on_the_order_of_hashes() -> None:
    printed = {_printed(seed) for seed in ("1", "2")}
    assert len(printed) == 1
    assert "resume; store cursor; ingester killed" in printed.pop()


def test_random_walks_reach_faults_and_an_end() -> None:
    model = Model(Bounds((0, 1, 0, 1), 4, batch=3))
    walks = [walk(model, seed) for seed in range(60)]
    assert {one.violation for one in walks} == {Violation.NONE}
    assert sum(len(one.faults()) for one in walks) > 60
    assert walk(model, 7) == walks[7]


def test_a_walk_finds_a_violation_where_a_rule_is_left_out() -> None:
    model = Model(Bounds((0, 1, 0, 1), 4, batch=3), ALL.without("deterministic_names"))
    assert Violation.DOUBLED in {walk(model, seed).violation for seed in range(100)}


def test_a_row_that_names_another_violation_fails_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert program.main(["no_push_retry", "fence"]) == 0
    wrong = tuple(
        dataclasses.replace(BY_NAME[name], violation=Violation.LOST) for name in ("no_push_retry", "fence")
    )
    for row in wrong:
        monkeypatch.setattr(program, "ROWS", (row,))
        assert program.main([row.name]) == 1


START_STEPS = (
    Label(Move.START, (0,)),
    Label(Move.PLAN, (1,)),
    Label(Move.NOTE, (1,)),
    Label(Move.BEGIN, (1,)),
)
PUSH = Label(Move.BUFFER, (0, 1))
CLAIM = (Label(Move.ROUND, (0,)), Label(Move.CLAIM, (0,)))


@pytest.mark.parametrize(
    ("trace", "fault"),
    [
        ((Label(Move.RESUME), Label(Fault.INGESTER_KILLED)), "ingester killed after receive"),
        ((PUSH, *CLAIM, Label(Fault.INGESTER_KILLED)), "ingester killed after buffer"),
        ((*CLAIM, Label(Move.SYNC), PUSH, Label(Fault.WRITER_KILLED)), "writer killed after commit"),
        ((*CLAIM, Label(Move.COMMIT), Label(Fault.VOLUME_LOST)), "volume lost in a round"),
        ((*CLAIM, Label(Move.CHECKPOINT), PUSH, Label(Fault.POWER_CUT)), "power cut after checkpoint"),
        ((Label(Fault.VOLUME_LOST),), "volume lost after start"),
        ((PUSH, Label(Fault.PUSH_DELAYED, (2,))), "push delayed"),
    ],
)
def test_a_fault_is_placed_by_the_last_step_of_its_daemon(trace: tuple[Label, ...], fault: str) -> None:
    assert describe_faults(trace) == (fault,)


def test_a_line_leaves_out_the_start_and_names_events() -> None:
    assert line((*START_STEPS, Label(Move.RESUME), PUSH)) == "resume; buffer 0,1"


def _printed(seed: str) -> str:
    rows = ["cursor_with_events+events_first", "no_ack_retry", "dedup_by_identity", "checkpoint_per_stream"]
    done = subprocess.run(
        [sys.executable, "-m", "testing.proof.model", *rows],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.rpartition("rows,")[0]
