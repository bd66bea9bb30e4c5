"""What should be in the archive: all the host told, computed anew from the seed, and what was planted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testing.events import HostView
from testing.events.rhythm import Rhythm
from testing.fakes.jetstream.pace import Paced, Turn
from testing.harness.truth import stream_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def traffic_of(status: dict[str, Any]) -> Paced:
    """Return the traffic that a host's status describes: seed, rate, the turns of its rate, and its end."""
    source = dict(status["source"])
    turns = tuple(Turn(*turn) for turn in source.pop("turns"))
    rhythm = source.pop("rhythm")
    return Paced(**source, rhythm=None if rhythm is None else Rhythm(**rhythm), turns=turns)


def truth(traffic: Paced, planted: Iterable[bytes] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield every event of a v1 host with its stream, and the frames that had to be rejected."""
    assert traffic.total is not None, "a host that never falls silent has no whole truth"
    for frame in traffic.truth(HostView()):
        yield stream_of(frame), frame
    for frame in planted:
        yield "rejects", frame
