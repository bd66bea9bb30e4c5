"""Faults of hosts: they hang up, fall silent, repeat, drop, renumber, misdate or omit events."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING

from testing.events import HostView
from testing.fakes.jetstream import planted
from testing.harness.waiting import wait_for
from testing.proof.chaos.environment import LOOK_BACK_SECONDS, Environment, NotInjectedError, prove, sleep
from testing.proof.chaos.kinds import Component, Kind

if TYPE_CHECKING:
    from testing.proof.chaos.plan import Fault

CODES = (1006, 1000, 1001, 1011)
NOT_EVENTS = ("not_json", "array", "no_did", "time_as_text", "time_too_big")
OMITTED = "app.bsky.feed.repost"
LEARNED_EVENTS = 3000
REPEAT_SECONDS = 3.0
READ_AGAIN_SECONDS = 21.0
"""Until the host has stored the whole window of a cutover and the ingester has read it again."""
NEW_FIRST_SEQ = 7
NEW_OFFSET_US = 300_000


def hang_up(env: Environment, fault: Fault) -> None:
    """End every connection, with a close frame or without."""
    before = _count(env, "hang_up")

    def is_hung_up() -> bool:
        # Repeated, because another fault may just have closed the connection.
        env.host.send("hang_up", code=CODES[int(fault.fraction * len(CODES))])
        return _count(env, "hang_up") > before

    prove(is_hung_up, "the host to hang up")


def silence(env: Environment, fault: Fault) -> None:
    """Answer pings and send nothing."""
    before = _count(env, "silence")

    def is_silent() -> bool:
        # Repeated, because another fault may keep the ingester away.
        env.host.send("silence", seconds=fault.seconds)
        with contextlib.suppress(TimeoutError):
            return wait_for(lambda: _count(env, "silence") > before, fault.seconds, "a silent connection")
        return False

    prove(is_silent, "the host to be silent")
    sleep(fault.seconds)


def mute(env: Environment, _fault: Fault) -> None:
    """Accept the next connection and send nothing on it."""
    env.host.send("mute")
    env.host.send("hang_up")
    _prove_count(env, "mute", 0)


def refuse(env: Environment, fault: Fault) -> None:
    """Answer the next connection attempts with 503."""
    connects = 1 + int(fault.fraction * 3)
    env.host.send("refuse", connects=connects)
    env.host.send("hang_up")
    _prove_count(env, "refuse", connects - 1)


def down(env: Environment, fault: Fault) -> None:
    """Go down and come back."""
    with env.host.control() as control:
        control.send("down")
        sleep(fault.seconds)
        if not control.send("up")["fired"].get("down"):
            raise NotInjectedError("the host did not go down")


def repeat(env: Environment, fault: Fault) -> None:
    """Send the last frames again."""

    def is_repeated() -> bool:
        # Repeated, because the command is for one connection, which another fault may close.
        env.host.send("repeat", frames=100 + int(fault.fraction * 2000))
        with contextlib.suppress(TimeoutError):
            return wait_for(lambda: _count(env, "repeat") > 0, REPEAT_SECONDS, "frames sent again")
        return False

    _wait_subscribed(env)
    prove(is_repeated, "the host to repeat frames")


def plant(env: Environment, fault: Fault) -> None:
    """Send frames that are not events, one of them twice: each is archived once, as a reject."""
    frames = [
        planted(what, time_us=env.first_us + number).payload
        for number, what in enumerate(NOT_EVENTS[int(fault.fraction * len(NOT_EVENTS)) :])
    ]
    env.planted += frames
    for frame in (*frames, frames[0]):
        env.host.send("plant", payload=base64.b64encode(frame).decode())
    _prove_count(env, "plant", len(frames))


def cutover(env: Environment, _fault: Fault) -> None:
    """Drop and reorder events where a replay reaches the live tail; wait until they can be read again."""
    env.host.send("cutover", drop=0.5, late=0.3)
    env.host.send("hang_up")
    _prove_count(env, "cutover_dropped", 0)
    sleep(READ_AGAIN_SECONDS)


def rewind(env: Environment, fault: Fault) -> None:
    """Step the host's clock back permanently while the ingester is disconnected."""
    seconds = 30.0 + 60.0 * fault.fraction
    env.host.send("refuse", connects=1)
    env.host.send("hang_up")
    begin = int(env.host.send("rewind", seconds=seconds)["result"])
    env.rewound.append((begin, int(seconds * 1_000_000)))
    _prove_count(env, "refuse", 0)


def namespace(env: Environment, _fault: Fault) -> None:
    """Replace the server under the host's name by one with other times and numbers."""
    kind = env.views[0].kind
    env.views.append(HostView(kind, NEW_OFFSET_US, NEW_FIRST_SEQ))
    env.host.send("change_namespace", first_seq=NEW_FIRST_SEQ, offset_us=NEW_OFFSET_US)
    _prove_count(env, "change_namespace", 0)
    _wait_subscribed(env)


def fail_over(env: Environment, fault: Fault) -> None:
    """Take the first host down until the ingester reads the second, and some time more."""
    with env.host.control() as control:
        control.send("down")
        try:
            _wait_second_subscribed(env)
            sleep(fault.seconds)
        finally:
            control.send("up")


def blind(env: Environment, _fault: Fault) -> None:
    """Omit a collection until the ingester changes to the other host."""
    # In this process: a restarted one has to learn the collection's rate again.
    ingester = env.pipeline.ingester
    prove(
        lambda: ingester.total("archive_buffer_pushed_total") > LEARNED_EVENTS,
        "a collection's rate to be learned",
    )
    env.host.send("blind", collections=[OMITTED])
    try:
        _prove_count(env, "blind", 0)
        # Until it has pushed events of the second host: if killed earlier, it resumes at the first.
        second = env.pipeline.hosts[1].address
        prove(lambda: env.cursor().get("host") == second, "a push of the second host's events")
    finally:
        env.host.send("see")


def look_back(env: Environment, fault: Fault) -> None:
    """Keep the ingester down for longer than the host keeps events: a gap, and its row in `gaps`."""
    ingester = env.pipeline.ingester
    env.host.send("keep", seconds=LOOK_BACK_SECONDS)
    ingester.kill()
    sleep(max(fault.seconds, LOOK_BACK_SECONDS + 2.0))
    env.restart(Component.INGESTER)
    prove(lambda: ingester.logged("receive.gap"), "a gap to be recorded")


def _wait_subscribed(env: Environment) -> None:
    prove(env.has_subscriber, "a subscriber")


def _wait_second_subscribed(env: Environment) -> None:
    prove(lambda: env.pipeline.hosts[1].status()["connections"], "a subscriber at the second host")


def _count(env: Environment, fault: str) -> int:
    return int(env.host.status()["fired"].get(fault, 0))


def _prove_count(env: Environment, fault: str, before: int) -> None:
    prove(lambda: _count(env, fault) > before, f"the host's fault {fault}")


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
