"""The model: all rules hold within small bounds, and each rule left out shows the harm that its row names."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from dataclasses import fields

import pytest

from testing.harness.daemons import REPOSITORY
from testing.proof.model import __main__ as program
from testing.proof.model.bounds import Bounds, Model
from testing.proof.model.explore import breadth_first, walk
from testing.proof.model.harm import Harm, harm
from testing.proof.model.rules import ALL, Rules
from testing.proof.model.table import BOTH, ROWS, THREE, TWO, Row
from testing.proof.model.trace import line

BY_NAME = {row.name: row for row in ROWS}
FEW_FAULTS = [row for row in ROWS if row.harm is not Harm.NONE and row.bounds.faults <= 2]
FEW_FAULTS = [row for row in ROWS if row.harm is not Harm.NONE and row.bounds.faults <= 2]
NEVER_ALONE = {"data_first"}
"""Says what happens where another rule is left out."""
UNSEEN = {"sync_before_use"}
"""Four faults are needed to show it, more than is explored."""


@pytest.mark.parametrize("bounds", [Bounds(TWO, 1), Bounds(BOTH, 1, batch=1), Bounds(THREE, 1)], ids=str)
def test_with_all_rules_nothing_is_lost_or_doubled_and_no_invariant_breaks(bounds: Bounds) -> None:
    found = breadth_first(Model(bounds))
    assert found.harm is Harm.NONE, line(found.trace)
    assert found.ends > 0, "no run came to its end"
    assert found.states > 4_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_rule_left_out_does_the_harm_that_its_row_names_and_no_other(row: Row) -> None:
    assert row.found.harm is row.harm, line(row.found.trace)
    assert bool(row.found.trace) == (row.harm is not Harm.NONE)


@pytest.mark.parametrize("row", FEW_FAULTS, ids=lambda row: row.name)
def test_with_one_fault_less_even_the_loss_of_the_rule_is_harmless(row: Row) -> None:
    """So the trace has no fault too many."""
    fewer = row.bounds._replace(faults=len(row.found.faults()) - 1)
    assert breadth_first(Model(fewer, ALL.without(*row.left_out)), harm).harm is Harm.NONE


def test_every_rule_has_a_row() -> None:
    shown = {name for row in ROWS for name in row.left_out}
    assert {field.name for field in fields(Rules)} - shown == UNSEEN
    assert {name for row in ROWS for name in row.left_out if len(row.left_out) == 1} | NEVER_ALONE == shown


def test_the_hash_of_a_state_stands_for_the_state() -> None:
    model = Model(Bounds(TWO, 1))
    assert breadth_first(model, key=lambda state: state).states == breadth_first(model).states


def test_shortest_traces_do_not_depend_on_the_order_of_hashes() -> None:
    told = {_printed(seed) for seed in ("1", "2")}
    assert len(told) == 1
    assert "resume; store cursor; ingester killed" in told.pop()


def test_random_walks_reach_faults_and_an_end() -> None:
    model = Model(Bounds((0, 1, 0, 1), 4, batch=3))
    walks = [walk(model, seed) for seed in range(60)]
    assert {one.harm for one in walks} == {Harm.NONE}
    assert sum(len(one.faults()) for one in walks) > 60
    assert walk(model, 7) == walks[7]


def test_a_walk_finds_harm_where_a_rule_is_left_out() -> None:
    model = Model(Bounds((0, 1, 0, 1), 4, batch=3), ALL.without("name_from_input"))
    assert Harm.DOUBLED in {walk(model, seed).harm for seed in range(100)}


def test_a_row_that_names_another_harm_fails_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert program.main(["push_once", "fence"]) == 0
    wrong = tuple(dataclasses.replace(BY_NAME[name], harm=Harm.LOST) for name in ("push_once", "fence"))
    for row in wrong:
        monkeypatch.setattr(program, "ROWS", (row,))
        assert program.main([row.name]) == 1


def _printed(seed: str) -> str:
    rows = ["cursor_with_events+data_first", "ack_once", "identity", "checkpoint_per_stream"]
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
