"""Mutants: the edits of each apply to the code, and some are run and have their effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.proof.mutants import MUTANTS
from testing.proof.mutants.mutant import (
    AuditCounts,
    Comparison,
    Edit,
    StaleEditError,
    mutated_tree,
    run_mutated,
)

if TYPE_CHECKING:
    from pathlib import Path

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
EVENT = "services/shared/event.py"
CLEAN = {"lost": 0, "doubled": 0, "altered": 0, "unknown": 0}


@pytest.mark.parametrize("name", ["push_resent", "ack_first", "no_fence_watch_ended"])
def test_without_its_rule_events_are_lost_or_doubled(tmp_path: Path, name: str) -> None:
    """test_model_played runs the intact code in the same scenarios."""
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    mutant = BY_NAME[name]
    mutated = run_mutated(mutant, tmp_path)
    assert Comparison(mutant, AuditCounts(CLEAN), mutated).is_as_expected, f"without the rule: {mutated}"


@pytest.mark.parametrize("name", BY_NAME)
def test_every_edit_applies_to_the_code(tmp_path: Path, name: str) -> None:
    assert mutated_tree(tmp_path, BY_NAME[name].edits) == tmp_path


def test_an_edit_that_does_not_apply_or_leaves_invalid_python_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StaleEditError, match="0 times"):
        mutated_tree(tmp_path / "stale", [Edit(EVENT, "nowhere to be found", "")])
    with pytest.raises(StaleEditError, match=r"\d+ times"):
        mutated_tree(tmp_path / "twice", [Edit(EVENT, "import", "")])
    with pytest.raises(SyntaxError):
        mutated_tree(tmp_path / "broken", [Edit(EVENT, "class Event(", "class (")])


def test_the_effect_must_be_the_one_named_and_the_intact_code_without_error() -> None:
    ack, checkpoint, fence = BY_NAME["ack_first"], BY_NAME["newest_checkpoint"], BY_NAME["no_fence"]
    assert Comparison(ack, AuditCounts(CLEAN), AuditCounts(CLEAN | {"lost": 3})).is_as_expected
    assert not Comparison(ack, AuditCounts(CLEAN), AuditCounts(CLEAN)).is_as_expected
    assert not Comparison(ack, AuditCounts(CLEAN), AuditCounts(CLEAN | {"doubled": 3})).is_as_expected
    assert not Comparison(ack, AuditCounts(CLEAN), AuditCounts({}, "a daemon died")).is_as_expected
    assert not Comparison(
        ack, AuditCounts(CLEAN | {"doubled": 1}), AuditCounts(CLEAN | {"lost": 3})
    ).is_as_expected
    assert Comparison(
        checkpoint, AuditCounts(CLEAN | {"doubled": 1}), AuditCounts(CLEAN | {"lost": 3})
    ).is_as_expected
    assert not Comparison(
        checkpoint, AuditCounts(CLEAN | {"lost": 1}), AuditCounts(CLEAN | {"lost": 3})
    ).is_as_expected
    assert Comparison(fence, AuditCounts(CLEAN), AuditCounts(CLEAN)).is_as_expected
    assert not Comparison(fence, AuditCounts(CLEAN), AuditCounts(CLEAN | {"lost": 1})).is_as_expected
