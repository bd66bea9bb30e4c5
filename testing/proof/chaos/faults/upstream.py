"""What hosts do: hang up, fall silent, repeat, drop, renumber, misdate, go blind, forget."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

from testing.events import HostView
from testing.fakes.jetstream import planted
from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import Kind, Part
from testing.proof.chaos.world import LOOK_BACK_SECONDS, PROVE_SECONDS, NotFiredError, World, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.proof.chaos.plan import Fault

CODES = (1006, 1000, 1001, 1011)
NO_EVENTS = ("not_json", "array", "no_did", "time_as_text", "time_too_big")
MISSED = "app.bsky.feed.repost"
LEARNT_EVENTS = 3000
TOLD_SECONDS = 3.0
READ_AGAIN_SECONDS = 21.0
"""Until the window of a cutover lies wholly in the host's store, and has been read once more."""
NEW_FIRST_SEQ = 7
NEW_OFFSET_US = 300_000


def hang_up(world: World, fault: Fault) -> None:
    """End every connection, with a close frame or without."""
    before = _fired(world, "hang_up")

    def ended() -> bool:
        # Where another fault has just ended the connection, there is none to end.
        world.host.send("hang_up", code=CODES[int(fault.share * len(CODES))])
        return _fired(world, "hang_up") > before

    _proves(ended, "the lie hang_up to be told")


def silence(world: World, fault: Fault) -> None:
    """Answer pings and send nothing."""
    before = _fired(world, "silence")

    def fell() -> bool:
        # Where another fault keeps the ingester away just then, there is nobody to be silent to.
        world.host.send("silence", seconds=fault.seconds)
        with contextlib.suppress(TimeoutError):
            return wait_for(lambda: _fired(world, "silence") > before, fault.seconds, "somebody to hear it")
        return False

    _proves(fell, "the lie silence to be told")
    pause(fault.seconds)


def mute(world: World, _fault: Fault) -> None:
    """Accept the next connect and never send it anything."""
    world.host.send("mute")
    world.host.send("hang_up")
    _fires(world, "mute", 0)


def refuse(world: World, fault: Fault) -> None:
    """Answer the next connects with 503."""
    connects = 1 + int(fault.share * 3)
    world.host.send("refuse", connects=connects)
    world.host.send("hang_up")
    _fires(world, "refuse", connects - 1)


def down(world: World, fault: Fault) -> None:
    """Drop off the network and come back."""
    with world.host.control() as control:
        control.send("down")
        pause(fault.seconds)
        if not control.send("up")["fired"].get("down"):
            raise NotFiredError("the host did not go down")


def repeat(world: World, fault: Fault) -> None:
    """Send the last frames again."""

    def told() -> bool:
        # It is one connection's order: one that another fault just ends takes it to its grave.
        world.host.send("repeat", frames=100 + int(fault.share * 2000))
        with contextlib.suppress(TimeoutError):
            return wait_for(lambda: _fired(world, "repeat") > 0, TOLD_SECONDS, "frames sent again")
        return False

    _followed(world)
    _proves(told, "the lie repeat to be told")


def plant(world: World, fault: Fault) -> None:
    """Send frames that are no events, one of them twice: each is kept once, as a reject."""
    frames = [
        planted(what, time_us=world.first_us + number).payload
        for number, what in enumerate(NO_EVENTS[int(fault.share * len(NO_EVENTS)) :])
    ]
    world.planted += frames
    for frame in (*frames, frames[0]):
        world.host.send("plant", payload=base64.b64encode(frame).decode())
    _fires(world, "plant", len(frames))


def cutover(world: World, _fault: Fault) -> None:
    """Drop and reorder events where a replay meets the live tail; then wait until they can be read again."""
    world.host.send("cutover", drop=0.5, late=0.3)
    world.host.send("hang_up")
    _fires(world, "cutover_dropped", 0)
    pause(READ_AGAIN_SECONDS)


def rewind(world: World, fault: Fault) -> None:
    """Step the host's clock back for good, while we are away for a moment."""
    seconds = 30.0 + 60.0 * fault.share
    world.host.send("refuse", connects=1)
    world.host.send("hang_up")
    begin = int(world.host.send("rewind", seconds=seconds)["result"])
    world.rewound.append((begin, int(seconds * 1_000_000)))
    _fires(world, "refuse", 0)


def namespace(world: World, _fault: Fault) -> None:
    """Put another server behind the name, with other times and numbers."""
    kind = world.views[0].kind
    world.views.append(HostView(kind, NEW_OFFSET_US, NEW_FIRST_SEQ))
    world.host.send("change_namespace", first_seq=NEW_FIRST_SEQ, offset_us=NEW_OFFSET_US)
    _fires(world, "change_namespace", 0)
    _followed(world)


def fail_over(world: World, fault: Fault) -> None:
    """Take the first host away until the second is followed, and some time more."""
    with world.host.control() as control:
        control.send("down")
        try:
            _second_followed(world)
            pause(fault.seconds)
        finally:
            control.send("up")


def blind(world: World, _fault: Fault) -> None:
    """Leave a collection out until the ingester goes to the other host for it."""
    # By this very process: a restarted one learns the collection's rate anew.
    ingester = world.pipeline.ingester
    _proves(
        lambda: ingester.total("archive_buffer_pushed_total") > LEARNT_EVENTS, "a collection to be learnt"
    )
    world.host.send("blind", collections=[MISSED])
    try:
        _fires(world, "blind", 0)
        # Not before it pushed something of the second's: killed until then, it forgets why it left the first.
        second = world.pipeline.hosts[1].address
        _proves(lambda: world.cursor().get("host") == second, "a push of the second host's events")
    finally:
        world.host.send("see")


def look_back(world: World, fault: Fault) -> None:
    """Keep the ingester away for longer than the host keeps events: a hole, and a row that says so."""
    ingester = world.pipeline.ingester
    world.host.send("keep", seconds=LOOK_BACK_SECONDS)
    ingester.kill()
    pause(max(fault.seconds, LOOK_BACK_SECONDS + 2.0))
    world.restart(Part.INGESTER)
    _proves(lambda: ingester.logged("receive.gap"), "a gap to be noted")


def _followed(world: World) -> None:
    _proves(world.follows, "a subscriber")


def _second_followed(world: World) -> None:
    _proves(lambda: world.pipeline.hosts[1].status()["connections"], "the second host to be followed")


def _fired(world: World, lie: str) -> int:
    return int(world.host.status()["fired"].get(lie, 0))


def _fires(world: World, lie: str, before: int) -> None:
    _proves(lambda: _fired(world, lie) > before, f"the lie {lie} to be told")


def _proves(condition: Callable[[], Any], what: str) -> None:
    try:
        wait_for(condition, PROVE_SECONDS, what)
    except TimeoutError as error:
        raise NotFiredError(str(error)) from error


INJECT = {
    Kind.HANG_UP: hang_up,
    Kind.SILENCE: silence,
    Kind.MUTE: mute,
    Kind.REFUSE: refuse,
    Kind.DOWN: down,
    Kind.REPEAT: repeat,
    Kind.PLANT: plant,
    Kind.CUTOVER: cutover,
    Kind.REWIND: rewind,
    Kind.NAMESPACE: namespace,
    Kind.FAIL_OVER: fail_over,
    Kind.BLIND: blind,
    Kind.LOOK_BACK: look_back,
}
