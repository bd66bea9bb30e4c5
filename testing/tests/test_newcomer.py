"""A stranger's first quarter of an hour: README's commands do what README says, on a bare machine."""

from __future__ import annotations

import pytest

from testing.environment.images.derived import NoBaseError
from testing.environment.newcomer.commands import NOT_RUN, SAYS, Why, commands
from testing.environment.newcomer.machine import Machine
from testing.environment.newcomer.walk import walk
from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MOST_NOT_RUN = 6


def test_every_command_is_run_or_excused() -> None:
    named = list(commands(README))
    assert len(named) == len(set(named))
    assert set(named) == set(SAYS) | set(NOT_RUN)
    assert not set(SAYS) & set(NOT_RUN)


def test_the_excuses_are_few_and_good() -> None:
    assert len(NOT_RUN) <= MOST_NOT_RUN
    excused = {why: [command for command, given in NOT_RUN.items() if given is why] for why in Why}
    assert excused[Why.TESTS] == ["make test"]
    assert all(command.startswith(("docker ", "curl ")) for command in excused[Why.IMAGES])


def test_what_comes_before_the_first_link_fits_on_three_screens() -> None:
    head, _, _ = README.partition("\n## What it promises")
    assert len(head.splitlines()) <= 120
    assert len(README.split("## Settings")[0].splitlines()) <= 180


@pytest.mark.timeout(1800)
def test_a_newcomer_gets_what_readme_promises(engine: None) -> None:  # noqa: ARG001 - wanted for its check
    try:
        with Machine() as machine:
            for step in walk(README, machine):
                print(step)
                assert step.holds, str(step)
    except NoBaseError as error:
        missing(str(error))
