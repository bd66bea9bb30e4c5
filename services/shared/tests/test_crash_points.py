"""The points at which a test kills a process."""

from services.shared.crash_points import CrashPoint, armed, reach


def test_reaching_a_point_does_nothing_but_what_a_test_armed_it_with() -> None:
    reached: list[CrashPoint] = []

    reach(CrashPoint.CLAIM_READ)
    with armed(reached.append):
        reach(CrashPoint.ENCODE_BLOCK)
    reach(CrashPoint.CLAIM_READ)

    assert reached == [CrashPoint.ENCODE_BLOCK]
