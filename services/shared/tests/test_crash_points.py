"""The moments at which a process may die."""

from services.shared.crash_points import OWED, CrashPoint, armed, reach


def test_every_moment_says_what_recovery_owes() -> None:
    assert set(OWED) == set(CrashPoint)


def test_reaching_a_moment_does_nothing_but_what_a_test_armed_it_with() -> None:
    reached: list[CrashPoint] = []

    reach(CrashPoint.CLAIM_READ)
    with armed(reached.append):
        reach(CrashPoint.ENCODE_BLOCK)
    reach(CrashPoint.CLAIM_READ)

    assert reached == [CrashPoint.ENCODE_BLOCK]
