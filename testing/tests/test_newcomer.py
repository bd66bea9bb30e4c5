"""README's commands do what README says, in a bare container."""

from __future__ import annotations

import pytest

from testing.environment.images.derived import NoBaseError
from testing.environment.newcomer.machine import Machine
from testing.environment.newcomer.walk import EXPECTED_OUTPUT, NOT_RUN, Reason, commands, walk
from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MOST_NOT_RUN = 6


def test_every_command_is_run_or_has_a_reason_not_to_be() -> None:
    named = list(commands(README))
    assert len(named) == len(set(named))
    assert set(named) == set(EXPECTED_OUTPUT) | set(NOT_RUN)
    assert not set(EXPECTED_OUTPUT) & set(NOT_RUN)


def test_few_commands_are_not_run() -> None:
    assert len(NOT_RUN) <= MOST_NOT_RUN
    excused = {why: [command for command, given in NOT_RUN.items() if given is why] for why in Reason}
    assert excused[Reason.TESTS] == ["make test"]
    assert all(command.startswith(("docker ", "curl ")) for command in excused[Reason.IMAGES])


def test_the_start_of_readme_fits_on_three_screens() -> None:
    head, _, _ = README.partition("\n## What it promises")
    assert len(head.splitlines()) <= 120
    assert len(README.split("## Settings")[0].splitlines()) <= 180


@pytest.mark.timeout(1800)
def test_readmes_commands_work_in_a_bare_container(engine: None) -> None:  # noqa: ARG001 - used for its check
    try:
        with Machine() as machine:
            for step in walk(README, machine):
                print(step)
                assert step.holds, str(step)
    except NoBaseError as error:
        missing(str(error))
