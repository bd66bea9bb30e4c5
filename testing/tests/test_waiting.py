"""`wait_for` returns the first true value, or names the condition that was not met in time."""

from __future__ import annotations

import os
import sys

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.programs import run
from testing.harness.waiting import wait_for


def test_the_first_true_value_is_returned() -> None:
    answers = iter([0, "", "yes", "again"])
    assert wait_for(lambda: next(answers), 60, "an answer") == "yes"


@pytest.mark.parametrize("what", ["the moon", lambda: "the moon"])
def test_a_timeout_names_the_condition(what: str) -> None:
    with pytest.raises(TimeoutError, match="not within 0 s: the moon"):
        wait_for(lambda: False, 0, what)


@pytest.mark.parametrize(("ci", "factor"), [("true", "3.0"), ("", "1.0")])
def test_deadlines_are_longer_in_ci(ci: str, factor: str) -> None:
    code = "from testing.harness.waiting import TIMEOUT_FACTOR; print(TIMEOUT_FACTOR)"
    printed = run(sys.executable, "-c", code, cwd=REPOSITORY, env={**os.environ, "CI": ci}).stdout
    assert printed.strip() == factor
