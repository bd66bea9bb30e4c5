"""The mutants: each still fits the code, and of some that taking the rule out does the harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.proof.mutants.catalogue import MUTANTS
from testing.proof.mutants.plays import PLAYS
from testing.proof.mutants.run import Found, Shown, run_without
from testing.proof.mutants.tree import Edit, StaleEditError, mutated_tree

if TYPE_CHECKING:
    from pathlib import Path

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
EVENT = "services/shared/event.py"
CLEAN = {"lost": 0, "doubled": 0, "altered": 0, "strangers": 0}


@pytest.mark.parametrize("name", ["push_resent", "ack_first", "no_fence_watch_ended"])
def test_without_its_rule_the_archive_is_harmed(tmp_path: Path, name: str) -> None:
    """test_model_played runs the intact code in the same scenarios."""
    try:
        find_server()
    except NoServerError as error:
        missing(str(error))
    mutant = BY_NAME[name]
    shown = Shown(mutant, Found(CLEAN), run_without(mutant, tmp_path))
    assert shown.as_it_should, f"without the rule: {shown.without}"
    assert mutant.scenario in PLAYS


@pytest.mark.parametrize("name", BY_NAME)
def test_every_edit_still_fits_the_code(tmp_path: Path, name: str) -> None:
    assert mutated_tree(tmp_path, BY_NAME[name].edits) == tmp_path


def test_an_edit_that_does_not_fit_or_leaves_no_python_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StaleEditError, match="0 times"):
        mutated_tree(tmp_path / "stale", [Edit(EVENT, "nowhere to be found", "")])
    with pytest.raises(StaleEditError, match=r"\d+ times"):
        mutated_tree(tmp_path / "twice", [Edit(EVENT, "import", "")])
    with pytest.raises(SyntaxError):
        mutated_tree(tmp_path / "broken", [Edit(EVENT, "class Event(", "class (")])


def test_harm_must_be_the_one_named_and_the_intact_code_without_fault() -> None:
    ack, checkpoint, fence = BY_NAME["ack_first"], BY_NAME["newest_checkpoint"], BY_NAME["no_fence"]
    assert Shown(ack, Found(CLEAN), Found(CLEAN | {"lost": 3})).as_it_should
    assert not Shown(ack, Found(CLEAN), Found(CLEAN)).as_it_should
    assert not Shown(ack, Found(CLEAN), Found(CLEAN | {"doubled": 3})).as_it_should
    assert not Shown(ack, Found(CLEAN), Found({}, "a daemon died")).as_it_should
    assert not Shown(ack, Found(CLEAN | {"doubled": 1}), Found(CLEAN | {"lost": 3})).as_it_should
    assert Shown(checkpoint, Found(CLEAN | {"doubled": 1}), Found(CLEAN | {"lost": 3})).as_it_should
    assert not Shown(checkpoint, Found(CLEAN | {"lost": 1}), Found(CLEAN | {"lost": 3})).as_it_should
    assert Shown(fence, Found(CLEAN), Found(CLEAN)).as_it_should
    assert not Shown(fence, Found(CLEAN), Found(CLEAN | {"lost": 1})).as_it_should
