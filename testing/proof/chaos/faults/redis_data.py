"""What becomes of Redis' data: a torn record, a cut tail, an older backup, nothing at all.

An acknowledged command is in the append-only file, so only the first loses nothing. After the others
events are read again, and what was committed already is doubled: how many at most is worked out here.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from testing.harness.waiting import wait_for
from testing.proof.chaos.kinds import Kind
from testing.proof.chaos.world import Allowance, NotFiredError, World, pause

if TYPE_CHECKING:
    from pathlib import Path

    from testing.proof.chaos.plan import Fault

GROWTH_SECONDS = 60.0
"""How long until something is pushed or written: another fault may keep the ingester away."""
REWIND_US = 5_000_000
"""How far an ingester goes back on a v1 host; what it meets there is known, unless memory is lost too."""
TORN = (
    b"*1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$20\r\narchive:buffer:posts\r\n"
    b'$900\r\n{"did":"did:plc:torn","time_us":1'
)
"""What a push leaves when the server dies while it writes it."""


def torn(world: World, fault: Fault) -> None:
    """Kill Redis in the middle of writing a record nobody has heard of; the server must cut it off."""
    server = world.pipeline.redis
    server.kill()
    tail = _tail(server.folder)
    whole = tail.stat().st_size
    with tail.open("ab") as file:
        file.write(TORN[: 1 + int(fault.share * (len(TORN) - 1))])
    before = _said(server.folder)
    pause(fault.seconds)
    server.start()
    if "runcat" not in _said(server.folder)[len(before) :]:
        raise NotFiredError(f"the server did not cut off what was behind byte {whole} of {tail}")


def cut(world: World, fault: Fault) -> None:
    """Take the end of the file away, in the middle of a record: pushes and acks that were acknowledged."""
    world.wait_parts()
    since_us, server = world.oldest_checkpoint_us(), world.pipeline.redis
    tail = _tail(server.folder)
    earlier = tail.stat().st_size
    pause(fault.seconds)
    wait_for(lambda: tail.stat().st_size - earlier >= len(TORN), GROWTH_SECONDS, f"{tail} to grow")
    server.kill()
    size = tail.stat().st_size
    _allow(world, fault.kind, since_us)
    with tail.open("r+b") as file:
        file.truncate(earlier + int(fault.share * (size - earlier - 1)))
    server.start()


def restore(world: World, fault: Fault) -> None:
    """Copy Redis' data while it runs, and put the copy in their place some time later."""
    world.wait_parts()
    since_us, server = world.oldest_checkpoint_us(), world.pipeline.redis
    data, copy = server.folder / "data", server.folder / "backup"
    before = world.cursor()
    shutil.copytree(data, copy)
    pause(fault.seconds)
    wait_for(lambda: world.cursor() not in ({}, before), GROWTH_SECONDS, "a push since the backup")
    server.kill()
    _allow(world, fault.kind, since_us)
    server.lose_volume()
    copy.rename(data)
    server.start()


def volume(world: World, fault: Fault) -> None:
    """Lose everything that Redis holds."""
    world.wait_parts()
    pause(fault.seconds)
    lose_volume(world, fault.kind)


def lose_volume(world: World, kind: Kind) -> None:
    """Kill Redis, delete its data, start it again empty."""
    server = world.pipeline.redis
    if not world.cursor():
        raise NotFiredError("there was no cursor to lose")
    server.kill()
    _allow(world, kind, world.oldest_checkpoint_us() - REWIND_US)
    server.lose_volume()
    server.start()


def _allow(world: World, kind: Kind, since_us: int) -> None:
    """Allow as many doubled events as there are since then; what Redis held for them is gone."""
    tip = world.tip()
    world.allowed.append(Allowance(kind, tip - world.traffic(tip).index_at(since_us)))


def _tail(folder: Path) -> Path:
    (tail,) = (folder / "data" / "appendonlydir").glob("*.incr.aof")
    return tail


def _said(folder: Path) -> str:
    return (folder / "redis.log").read_text(encoding="utf-8", errors="replace")


INJECT = {
    Kind.AOF_TORN: torn,
    Kind.AOF_CUT: cut,
    Kind.BACKUP_RESTORED: restore,
    Kind.VOLUME_LOST: volume,
}
