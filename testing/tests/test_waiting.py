"""A condition is waited for until its deadline, and what did not come about is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.waiting import wait_for


def test_the_first_true_answer_is_given() -> None:
    answers = iter([0, "", "yes", "again"])
    assert wait_for(lambda: next(answers), 60, "an answer") == "yes"


@pytest.mark.parametrize("what", ["the moon", lambda: "the moon"])
def test_what_did_not_come_about_is_said(what: str) -> None:
    with pytest.raises(TimeoutError, match="waited 0 s in vain: the moon"):
        wait_for(lambda: False, 0, what)


@pytest.mark.parametrize(("ci", "patience"), [("true", "3.0"), ("", "1.0")])
def test_deadlines_are_later_where_tiers_share_a_machine(ci: str, patience: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from testing.harness.waiting import PATIENCE; print(PATIENCE)"],
        cwd=REPOSITORY,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == patience
