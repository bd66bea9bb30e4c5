"""The faults there are: a closed list, what each takes hold of, and which do not go together."""

from __future__ import annotations

from enum import StrEnum, auto

from services.shared.crash_points import CrashPoint


class Part(StrEnum):
    """What a fault has to itself while it lasts."""

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
    AOF_CUT = "AOF cut, acknowledged pushes gone"
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
    MUTE = "host mute after a connect"
    REFUSE = "host refuses"
    DOWN = "host down"
    REPEAT = "host repeats itself"
    PLANT = "host sends what is no event"
    CUTOVER = "v1 drops at its cutover"
    REWIND = "host's clock steps back"
    NAMESPACE = "another server behind the name"
    FAIL_OVER = "another host with other times and numbers"
    BLIND = "host blind to a collection"
    LOOK_BACK = "look-back exceeded"


DATA_LOSS = frozenset({Kind.AOF_CUT, Kind.BACKUP_RESTORED, Kind.VOLUME_LOST})
"""After these, and only these, events may be doubled until compaction."""

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
"""A daemon's connection to Redis is lost, and Redis lives: the third in a minute looks like a second daemon
with the same user, and the daemon waits a minute."""

UPSTREAM = frozenset(
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
"""What a host does; a run has at most one of them."""

STRANGE_TIME = frozenset(
    {Kind.CUTOVER, Kind.REWIND, Kind.NAMESPACE, Kind.FAIL_OVER, Kind.BLIND, Kind.LOOK_BACK}
)
"""Hosts whose events have no one order and time; what a loss of data may double could not be bounded."""

CALM = frozenset({Kind.KILL_WRITER, Kind.KILL_REDIS, Kind.STOP_WRITER})
"""All that goes with a look-back of seconds: whatever else keeps the ingester away makes further holes."""

MOVING = frozenset({Kind.FAIL_OVER, Kind.BLIND})
"""The ingester follows the second host then; what is done to the way to the first would disturb nobody."""

TRAPPED = {
    Kind.PUSH_REPLY_LOST: Part.INGESTER,
    Kind.PUSH_LOST: Part.INGESTER,
    Kind.PUSH_LATE: Part.INGESTER,
    Kind.ACK_REPLY_LOST: Part.WRITER,
    Kind.ACK_LOST: Part.WRITER,
    Kind.ACK_LATE: Part.WRITER,
    Kind.RENAME_REPLY_LOST: Part.WRITER,
}
"""Whose commands to Redis a proxy must parse, to act on the right one."""

WIRED = {kind: part for kind in Kind for part in Part if kind.name.startswith(f"{part.name}_")}
"""Whose network is disturbed: a daemon's to Redis, or the host's to the ingester."""

_OF_INGESTER = frozenset(
    {
        CrashPoint.RECEIVE_RESUMED,
        CrashPoint.RECEIVE_PAUSED,
        CrashPoint.BUFFER_BEFORE_EXEC,
        CrashPoint.BUFFER_AFTER_EXEC,
    }
)
AFTER_COMMIT = frozenset(
    point for point in CrashPoint if point.value.partition(".")[0] in ("compact", "swap", "coverage")
)
"""Moments of compaction, which comes after a run; services/compactor has tests that die at each."""

START = frozenset(
    {
        CrashPoint.RECOVER_ID_STAGED,
        CrashPoint.RECOVER_CHECKPOINT_CREATED,
        CrashPoint.RECOVER_EPOCH_NOTED,
        CrashPoint.RECOVER_EPOCH_BEGUN,
    }
)
"""Moments of an archive's start, when the first writer dies there."""


def victim(point: CrashPoint) -> Part:
    """Return the daemon that comes to this point."""
    return Part.INGESTER if point in _OF_INGESTER else Part.WRITER


def touches(kind: Kind, point: CrashPoint | None = None) -> frozenset[Part]:
    """Return what a fault must have to itself."""
    if kind is Kind.CRASH_POINT and point is not None:
        with_redis = point in (
            CrashPoint.RECOVER_CONFIRMED,
            CrashPoint.RECOVER_CHECKPOINT_LOWERED,
            CrashPoint.RECEIVE_PAUSED,
        )
        return frozenset({victim(point), *({Part.REDIS} if with_redis else ())})
    part = TRAPPED.get(kind) or WIRED.get(kind)
    if kind in UPSTREAM or part is Part.HOST:
        return frozenset({Part.INGESTER, Part.HOST})
    if part is not None:
        return frozenset({part, Part.REDIS})
    return _TOUCHED.get(kind, frozenset({Part.REDIS}))


_TOUCHED = {
    Kind.KILL_INGESTER: frozenset({Part.INGESTER}),
    Kind.STOP_INGESTER: frozenset({Part.INGESTER}),
    Kind.KILL_WRITER: frozenset({Part.WRITER}),
    Kind.STOP_WRITER: frozenset({Part.WRITER}),
    Kind.SECOND_WRITER: frozenset({Part.WRITER}),
    Kind.KILL_DAEMONS: frozenset({Part.INGESTER, Part.WRITER}),
    Kind.KILL_ALL: frozenset({Part.INGESTER, Part.WRITER, Part.REDIS}),
}
