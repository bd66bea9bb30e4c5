"""Power cuts: a pipeline loses and doubles nothing, and the model of a disk discards unsynced changes."""

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
from testing.proof.power.disk import Directory, Discarded, File, Mode, scanned, write_survivors
from testing.proof.power.replay import Replay, UnmodelledError
from testing.proof.power.run import run
from testing.proof.power.strace import NoTracerError, find_tracer, read_calls, tracing, wait_whole

if TYPE_CHECKING:
    from pathlib import Path

RNG = random.Random(1)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_power_cut_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    try:
        find_tracer()
        find_server()
    except (NoTracerError, NoServerError) as error:
        missing(str(error))
    outcome = run(seed, tmp_path)
    assert outcome.verdict.passed, str(outcome.verdict)
    assert sum(one.truth for one in outcome.verdict.streams.values()) == 18_000
    assert set(outcome.moments.values()) == {1}
    assert len(outcome.moments) == 3
    assert outcome.discarded.bytes > 0, "the power went between a write and its sync"
    assert outcome.discarded.entries > 0, "the power went between a rename or unlink and the directory's sync"
    assert outcome.staged == 0
    assert outcome.gaps == 1, "only the row of the archive start"


def test_a_file_keeps_the_content_at_the_beginning_of_its_sync() -> None:
    file = File()
    file.write(0, b"before")
    mark = file.mark()
    file.write(6, b" and after")
    file.sync(mark)
    discarded = Discarded()
    assert file.survivor(Mode.NOTHING, RNG, discarded) == b"before"
    assert discarded.bytes == len(b" and after")
    left = {file.survivor(Mode.RANDOM, RNG, Discarded()) for _ in range(200)}
    assert left == {(b"before and after")[:size] for size in range(6, 16)}
    file.resize(3)
    file.sync(file.mark())
    assert file.survivor(Mode.NOTHING, RNG, Discarded()) == b"bef"


def test_a_directory_keeps_its_synced_entries_and_a_rename_is_atomic() -> None:
    old, new, directory = File(), File(), Directory()
    directory.change({"checkpoint": old})
    directory.sync(directory.mark())
    directory.change({"staged": new})
    directory.change({"staged": None, "checkpoint": new})
    assert directory.survivor(Mode.NOTHING, RNG, Discarded()) == {"checkpoint": old}
    assert directory.survivor(Mode.NAMES, RNG, Discarded()) == {"checkpoint": new}
    for _ in range(50):
        left = directory.survivor(Mode.RANDOM, RNG, Discarded())
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
def test_files_of_a_real_process_after_a_power_cut(
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
    discarded = write_survivors(disk, after, mode, RNG)
    found = {str(path.relative_to(after)): path.read_bytes() for path in after.rglob("*") if path.is_file()}
    assert found == left
    assert (discarded.entries > 0) is (mode is Mode.NOTHING)


IDENTIFIED = """
import sys, pathlib
from services.archive.locks import archive_id
root = pathlib.Path(sys.argv[1])
if len(sys.argv) > 2:
    (root / ".state").mkdir(exist_ok=True)
    (root / ".state/id").write_text("made by a writer that was killed before its sync")
archive_id(root, None)
"""


@pytest.mark.parametrize("words_after", [(), ("made",)])
def test_an_id_that_redis_stores_survives(tmp_path: Path, words_after: tuple[str, ...]) -> None:
    """Redis keeps the id: an archive without it would be refused as another archive."""
    trace, root, after = tmp_path / "trace", tmp_path / "disk", tmp_path / "after"
    root.mkdir()
    after.mkdir()
    disk = scanned(root)
    _traced(trace, IDENTIFIED, str(root), *words_after)
    Replay(root, disk).play(read_calls(trace))
    write_survivors(disk, after, Mode.NOTHING, RNG)
    assert (after / ".state/id").read_bytes() == (root / ".state/id").read_bytes() != b""


def test_a_call_that_the_model_does_not_implement_is_an_error(tmp_path: Path) -> None:
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
        [*tracing(tracer, trace), sys.executable, "-c", code, *arguments], cwd=REPOSITORY, env=os.environ
    ) as child:
        assert child.wait() == 0
    wait_whole(trace)
