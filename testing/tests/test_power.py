"""The model of a disk forgets what it may, and a pipeline whose power is cut loses and doubles nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testing.harness.daemons import REPOSITORY
from testing.harness.fixtures import missing
from testing.harness.redis import NoServerError, find_server
from testing.proof.power.calls import read_calls, wait_whole, words
from testing.proof.power.cut import NoTracerError, find_tracer
from testing.proof.power.disk import Directory, File, Mode, Taken, scanned, write_survivors
from testing.proof.power.replay import Replay, UnmodelledError
from testing.proof.power.run import run

if TYPE_CHECKING:
    from pathlib import Path

DICE = random.Random(1)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_power_cut_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    try:
        find_tracer()
        find_server()
    except (NoTracerError, NoServerError) as error:
        missing(str(error))
    came = run(seed, tmp_path)
    assert came.verdict.passed, str(came.verdict)
    assert sum(one.truth for one in came.verdict.streams.values()) == 18_000
    assert set(came.moments.values()) == {1}
    assert len(came.moments) == 3
    assert came.taken.bytes > 0, "the power went between a write and its sync"
    assert came.taken.entries > 0, "the power went between a rename or unlink and the directory's sync"
    assert came.staged == 0
    assert came.gaps == 1, "only the archive's start: nothing was missed"


def test_a_file_keeps_what_was_there_when_its_sync_began() -> None:
    file = File()
    file.write(0, b"before")
    mark = file.mark()
    file.write(6, b" and after")
    file.sync(mark)
    taken = Taken()
    assert file.survivor(Mode.NOTHING, DICE, taken) == b"before"
    assert taken.bytes == len(b" and after")
    left = {file.survivor(Mode.DICE, DICE, Taken()) for _ in range(200)}
    assert left == {(b"before and after")[:size] for size in range(6, 16)}
    file.resize(3)
    file.sync(file.mark())
    assert file.survivor(Mode.NOTHING, DICE, Taken()) == b"bef"


def test_a_directory_keeps_its_synced_entries_and_a_rename_is_whole() -> None:
    old, new, directory = File(), File(), Directory()
    directory.change({"checkpoint": old})
    directory.sync(directory.mark())
    directory.change({"staged": new})
    directory.change({"staged": None, "checkpoint": new})
    assert directory.survivor(Mode.NOTHING, DICE, Taken()) == {"checkpoint": old}
    assert directory.survivor(Mode.NAMES, DICE, Taken()) == {"checkpoint": new}
    for _ in range(50):
        left = directory.survivor(Mode.DICE, DICE, Taken())
        assert left["checkpoint"] in (old, new)


CHILD = """
import os, sys
root = sys.argv[1]
os.mkdir(f"{root}/made")
with open(f"{root}/made/a b", "wb") as file:
    file.write(b"kept")
    file.flush()
    os.fsync(file.fileno())
    file.write(b", gone")
os.chdir(root)
os.rename("made/a b", "made/c")
for folder in sys.argv[2:]:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
os.truncate("made/c", 2)
os.link("made/c", "d")
os.unlink("old")
"""


@pytest.mark.parametrize(
    ("synced", "mode", "left"),
    [
        ((), Mode.NOTHING, {"old": b"old"}),
        (("made",), Mode.NOTHING, {"old": b"old"}),
        (("made", "."), Mode.NOTHING, {"old": b"old", "made/c": b"kept"}),
        ((), Mode.NAMES, {"made/c": b"kept", "d": b"kept"}),
    ],
)
def test_what_a_real_process_leaves(
    tmp_path: Path, synced: tuple[str, ...], mode: Mode, left: dict[str, bytes]
) -> None:
    trace, root = tmp_path / "trace", tmp_path / "disk"
    root.mkdir()
    (root / "old").write_bytes(b"old")
    disk = scanned(root)
    _traced(trace, CHILD, str(root), *synced)
    Replay(root, disk).play(read_calls(trace))
    after = tmp_path / "after"
    after.mkdir()
    taken = write_survivors(disk, after, mode, DICE)
    found = {str(path.relative_to(after)): path.read_bytes() for path in after.rglob("*") if path.is_file()}
    assert found == left
    assert (taken.entries > 0) is (mode is Mode.NOTHING)


IDENTIFIED = """
import sys, pathlib
from services.archive.locks import archive_id
root = pathlib.Path(sys.argv[1])
if len(sys.argv) > 2:
    (root / ".state").mkdir(exist_ok=True)
    (root / ".state/id").write_text("made by a writer that was killed before it synced")
archive_id(root, None)
"""


@pytest.mark.parametrize("words_after", [(), ("made",)])
def test_an_id_that_redis_will_know_survives(tmp_path: Path, words_after: tuple[str, ...]) -> None:
    """Redis remembers the id for good; an archive without it would be refused as somebody else's."""
    trace, root, after = tmp_path / "trace", tmp_path / "disk", tmp_path / "after"
    root.mkdir()
    after.mkdir()
    disk = scanned(root)
    _traced(trace, IDENTIFIED, str(root), *words_after)
    Replay(root, disk).play(read_calls(trace))
    write_survivors(disk, after, Mode.NOTHING, DICE)
    assert (after / ".state/id").read_bytes() == (root / ".state/id").read_bytes() != b""


def test_a_call_that_the_model_does_not_know_is_an_error(tmp_path: Path) -> None:
    trace, root = tmp_path / "trace", tmp_path / "disk"
    root.mkdir()
    mapped = "import mmap, sys; f = open(sys.argv[1] + '/x', 'w+b'); f.write(b'x' * 4096); f.flush(); "
    _traced(trace, mapped + "mmap.mmap(f.fileno(), 4096)", str(root))
    with pytest.raises(UnmodelledError, match="mmap"):
        Replay(root, scanned(root)).play(read_calls(trace))


def _traced(trace: Path, code: str, *arguments: str) -> None:
    try:
        tracer = find_tracer()
    except NoTracerError as error:
        missing(str(error))
    with subprocess.Popen(
        [*words(tracer, trace), sys.executable, "-c", code, *arguments], cwd=REPOSITORY, env=os.environ
    ) as child:
        assert child.wait() == 0
    wait_whole(trace)
