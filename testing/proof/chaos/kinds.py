"""The kinds of faults: the components that each needs for itself, and which exclude each other."""

from __future__ import annotations

from enum import StrEnum, auto

from services.shared.crash_points import CrashPoint


class Component(StrEnum):
    """What a fault needs for itself while it lasts."""

    INGESTER = auto()
    WRITER = auto()
    REDIS = auto()
    HOST = auto()


class Kind(StrEnum):
    """Every kind of fault."""

    CRASH_POINT = "crash point"
    KILL_INGESTER = "kill ingester"
    KILL_WRITER = "kill writer"
    KILL_REDIS = "kill Redis"
    KILL_DAEMONS = "kill both daemons"
    KILL_ALL = "kill everything"
    STOP_INGESTER = "SIGSTOP ingester"
    STOP_WRITER = "SIGSTOP writer"
    STOP_REDIS = "SIGSTOP Redis"
    SECOND_WRITER = "second writer"
    AOF_TORN = "torn record at the AOF's end"
    LOADING = "Redis LOADING"
    READONLY = "Redis READONLY"
    FULL = "Redis full"
    AOF_CUT = "AOF cut, acknowledged pushes lost"
    BACKUP_RESTORED = "older backup restored"
    VOLUME_LOST = "Redis' volume lost"
    PUSH_REPLY_LOST = "reply to a push lost"
    PUSH_LOST = "push lost"
    ACK_REPLY_LOST = "reply to an ack lost"
    ACK_LOST = "ack lost"
    RENAME_REPLY_LOST = "reply to RENAMENX lost"
    PUSH_LATE = "push arrives late"
    ACK_LATE = "ack arrives late"
    INGESTER_CUT = "ingester cut from Redis"
    INGESTER_STALLED = "ingester to Redis stalled"
    INGESTER_BYTEWISE = "ingester to Redis one byte at a time"
    INGESTER_HALF_OPEN = "ingester to Redis half-open"
    WRITER_CUT = "writer cut from Redis"
    WRITER_STALLED = "writer to Redis stalled"
    WRITER_BYTEWISE = "writer to Redis one byte at a time"
    WRITER_HALF_OPEN = "writer to Redis half-open"
    HOST_CUT = "ingester cut from its host"
    HOST_STALLED = "host to ingester stalled"
    HOST_BYTEWISE = "host to ingester one byte at a time"
    HOST_HALF_OPEN = "host to ingester half-open"
    HANG_UP = "host hangs up"
    SILENCE = "host silent"
    MUTE = "host silent after a connect"
    REFUSE = "host refuses"
    DOWN = "host down"
    REPEAT = "host repeats frames"
    PLANT = "host sends frames that are not events"
    CUTOVER = "v1 drops at its cutover"
    REWIND = "host's clock steps back"
    NAMESPACE = "another server under the host's name"
    FAIL_OVER = "another host with other times and numbers"
    BLIND = "host blind to a collection"
    LOOK_BACK = "look-back exceeded"


DATA_LOSS = frozenset({Kind.AOF_CUT, Kind.BACKUP_RESTORED, Kind.VOLUME_LOST})
"""Only after these may events be doubled until compaction."""

DISCONNECTS = frozenset(
    {
        Kind.STOP_REDIS,
        Kind.PUSH_REPLY_LOST,
        Kind.PUSH_LOST,
        Kind.ACK_REPLY_LOST,
        Kind.ACK_LOST,
        Kind.RENAME_REPLY_LOST,
        Kind.PUSH_LATE,
        Kind.ACK_LATE,
        Kind.INGESTER_CUT,
        Kind.INGESTER_STALLED,
        Kind.INGESTER_BYTEWISE,
        Kind.INGESTER_HALF_OPEN,
        Kind.WRITER_CUT,
        Kind.WRITER_STALLED,
        Kind.WRITER_BYTEWISE,
        Kind.WRITER_HALF_OPEN,
    }
)
"""A daemon loses its connection to Redis while Redis runs. The third time in a minute looks like a second
daemon with the same user, and the daemon waits a minute."""

HOST_FAULTS = frozenset(
    {
        Kind.HANG_UP,
        Kind.SILENCE,
        Kind.MUTE,
        Kind.REFUSE,
        Kind.DOWN,
        Kind.REPEAT,
        Kind.PLANT,
        Kind.CUTOVER,
        Kind.REWIND,
        Kind.NAMESPACE,
        Kind.FAIL_OVER,
        Kind.BLIND,
        Kind.LOOK_BACK,
    }
)
"""Faults of hosts; a run has at most one of them."""

UNORDERED = frozenset({Kind.CUTOVER, Kind.REWIND, Kind.NAMESPACE, Kind.FAIL_OVER, Kind.BLIND, Kind.LOOK_BACK})
"""The events have no single order and time, so that the number doubled by a loss of data has no bound."""

WITH_LOOK_BACK = frozenset({Kind.KILL_WRITER, Kind.KILL_REDIS, Kind.STOP_WRITER})
"""All that may go with LOOK_BACK: other faults keep the ingester away and would cause further gaps."""

SECOND_HOST = frozenset({Kind.FAIL_OVER, Kind.BLIND})
"""The ingester reads the second host, so that a disturbed connection to the first has no effect."""

TRAPPED = {
    Kind.PUSH_REPLY_LOST: Component.INGESTER,
    Kind.PUSH_LOST: Component.INGESTER,
    Kind.PUSH_LATE: Component.INGESTER,
    Kind.ACK_REPLY_LOST: Component.WRITER,
    Kind.ACK_LOST: Component.WRITER,
    Kind.ACK_LATE: Component.WRITER,
    Kind.RENAME_REPLY_LOST: Component.WRITER,
}
"""Whose commands to Redis a proxy must parse, to act on the right one."""

DISTURBED = {
    kind: component for kind in Kind for component in Component if kind.name.startswith(f"{component.name}_")
}
"""Whose connections are disturbed: those of a daemon to Redis, or those of the ingester to the host."""

_OF_INGESTER = frozenset(
    {
        CrashPoint.RECEIVE_RESUMED,
        CrashPoint.RECEIVE_PAUSED,
        CrashPoint.BUFFER_BEFORE_EXEC,
        CrashPoint.BUFFER_AFTER_EXEC,
    }
)
COMPACTION_POINTS = frozenset(
    point for point in CrashPoint if point.value.partition(".")[0] in ("compact", "swap", "coverage")
)
"""Compaction comes after a run; the tests of services/compactor kill it at each of these."""

START_POINTS = frozenset(
    {
        CrashPoint.RECOVER_ID_STAGED,
        CrashPoint.RECOVER_CHECKPOINT_CREATED,
        CrashPoint.RECOVER_EPOCH_NOTED,
        CrashPoint.RECOVER_EPOCH_BEGUN,
    }
)
"""Crash points that the first writer of an archive reaches."""


def victim(point: CrashPoint) -> Component:
    """Return the daemon that reaches this point."""
    return Component.INGESTER if point in _OF_INGESTER else Component.WRITER


def touches(kind: Kind, point: CrashPoint | None = None) -> frozenset[Component]:
    """Return the components that a fault needs for itself."""
    if kind is Kind.CRASH_POINT and point is not None:
        with_redis = point in (
            CrashPoint.RECOVER_CONFIRMED,
            CrashPoint.RECOVER_CHECKPOINT_LOWERED,
            CrashPoint.RECEIVE_PAUSED,
        )
        return frozenset({victim(point), *({Component.REDIS} if with_redis else ())})
    component = TRAPPED.get(kind) or DISTURBED.get(kind)
    if kind in HOST_FAULTS or component is Component.HOST:
        return frozenset({Component.INGESTER, Component.HOST})
    if component is not None:
        return frozenset({component, Component.REDIS})
    return _TOUCHED.get(kind, frozenset({Component.REDIS}))


_TOUCHED = {
    Kind.KILL_INGESTER: frozenset({Component.INGESTER}),
    Kind.STOP_INGESTER: frozenset({Component.INGESTER}),
    Kind.KILL_WRITER: frozenset({Component.WRITER}),
    Kind.STOP_WRITER: frozenset({Component.WRITER}),
    Kind.SECOND_WRITER: frozenset({Component.WRITER}),
    Kind.KILL_DAEMONS: frozenset({Component.INGESTER, Component.WRITER}),
    Kind.KILL_ALL: frozenset({Component.INGESTER, Component.WRITER, Component.REDIS}),
}
