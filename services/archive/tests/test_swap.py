"""The swap: one step for readers, completed after a kill anywhere, and discarded when the hour changed."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from services.archive import swap as swap_module
from services.archive.durable import exchange
from services.archive.manifest import Cause, Input, Output, SwapManifest, write_manifest
from services.archive.notes import read_removals, removed_here
from services.archive.paths import (
    hour_directory,
    manifest_path,
    prepared_path,
    removed_path,
    replaced_path,
)
from services.archive.swap import Step, step, swap_prepared
from services.shared.crash_points import CrashPoint, armed
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

HOUR = 497_222
OLD, NEW = frozenset({"a.parquet", "b.parquet"}), frozenset({"ab.parquet"})
LATE = "late.parquet"


class Killed(BaseException):
    """Simulates kill -9: no handler catches it."""


def manifest(*, outputs: AbstractSet[str] = NEW) -> SwapManifest:
    return SwapManifest(
        id="0" * 24,
        stream=Stream.LIKES,
        hour=HOUR,
        cause=Cause.COMPACTION if outputs else Cause.RETENTION,
        inputs=tuple(Input(name, 1, {"1": {"likes": 5}}) for name in sorted(OLD)),
        outputs=tuple(Output(name, 10, 1) for name in sorted(outputs)),
        removed={},
    )


def fill(directory: Path, names: AbstractSet[str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).write_text(name, encoding="utf-8")


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("*")}


def prepare(root: Path, *, outputs: AbstractSet[str] = NEW) -> Path:
    """Prepare a change of an hour; return the hour's directory."""
    place = hour_directory(root, Stream.LIKES, HOUR)
    fill(place, OLD)
    if outputs:
        fill(prepared_path(root, Stream.LIKES, HOUR), outputs)
    write_manifest(root, manifest(outputs=outputs))
    return place


def test_prepared_files_are_swapped_in_and_replaced_files_are_kept(tmp_path: Path) -> None:
    place = prepare(tmp_path)
    (swapped,) = swap_prepared(tmp_path, Stream.LIKES)
    assert swapped.step is Step.EXCHANGE
    assert swapped.files_deleted == (place / "a.parquet", place / "b.parquet")
    assert swapped.files_added == (place / "ab.parquet",)
    assert names(place) == NEW
    replaced = names(replaced_path(tmp_path, Stream.LIKES, HOUR, "0" * 24))
    assert replaced == {f"{name}.replaced" for name in OLD}, "no pattern for Parquet matches them"
    assert not list((tmp_path / ".state/prepared").glob("*/*"))


def test_a_kill_between_two_renames_of_replaced_files_is_completed(tmp_path: Path) -> None:
    prepare(tmp_path)
    with armed(die_at(CrashPoint.SWAP_MARKED)), pytest.raises(Killed):
        list(swap_prepared(tmp_path, Stream.LIKES))
    folder = replaced_path(tmp_path, Stream.LIKES, HOUR, "0" * 24)
    (folder / "a.parquet.replaced").rename(folder / "a.parquet")
    (swapped,) = swap_prepared(tmp_path, Stream.LIKES)
    assert swapped.step is Step.FINISH
    assert names(folder) == {"a.parquet.replaced", "b.parquet.replaced"}


def test_the_swap_of_an_hour_with_a_late_part_is_discarded(tmp_path: Path) -> None:
    place = prepare(tmp_path)
    fill(place, {LATE})
    (swapped,) = swap_prepared(tmp_path, Stream.LIKES)
    assert swapped.step is Step.DISCARD
    assert names(place) == OLD | {LATE}
    assert not list((tmp_path / ".state/prepared").glob("*/*"))


def test_without_outputs_the_hour_is_removed_and_its_note_counts_it_once(tmp_path: Path) -> None:
    place = prepare(tmp_path, outputs=frozenset())
    note = removed_path(tmp_path, Stream.LIKES, HOUR)
    with armed(die_at(CrashPoint.SWAP_NOTED)), pytest.raises(Killed):
        list(swap_prepared(tmp_path, Stream.LIKES))
    assert removed_here(place, read_removals(note)) == {}, "the files still exist"
    list(swap_prepared(tmp_path, Stream.LIKES))
    assert not place.exists()
    assert removed_here(place, read_removals(note)) == {"1": {"likes": 10}}
    fill(place, OLD)
    write_manifest(tmp_path, manifest(outputs=frozenset()))
    list(swap_prepared(tmp_path, Stream.LIKES))
    assert removed_here(place, read_removals(note)) == {"1": {"likes": 10}}, "each file counts once"


def die_at(point: CrashPoint) -> Callable[[CrashPoint], None]:
    def act(reached: CrashPoint) -> None:
        if reached is point:
            raise Killed

    return act


@pytest.mark.parametrize("can_exchange", [True, False], ids=["exchange", "no exchange"])
@pytest.mark.parametrize("outputs", [NEW, frozenset()], ids=["merged", "removed"])
@pytest.mark.parametrize("late", [False, True], ids=["quiet", "late part"])
@pytest.mark.parametrize("point", [point for point in CrashPoint if point.value.startswith("swap.")])
def test_a_swap_that_was_killed_anywhere_is_completed_by_the_next(  # noqa: PLR0913 - every combination
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: CrashPoint,
    outputs: frozenset[str],
    *,
    late: bool,
    can_exchange: bool,
) -> None:
    if not can_exchange:
        monkeypatch.setattr(swap_module, "exchange", lambda *_: False)
    place = prepare(tmp_path, outputs=outputs)
    died = False
    try:
        with armed(die_at(point)):
            list(swap_prepared(tmp_path, Stream.LIKES))
    except Killed:
        died = True
    before = names(place)
    if late:
        fill(place, {LATE})
    list(swap_prepared(tmp_path, Stream.LIKES))
    list(swap_prepared(tmp_path, Stream.LIKES))
    after = names(place) - {LATE}
    assert names(place) - after == ({LATE} if late else set())
    if late and died and before == OLD:
        assert after == OLD, "the hour had changed, so the swap is discarded"
    else:
        assert after == outputs
    assert not manifest_path(tmp_path, Stream.LIKES, HOUR).exists()
    assert not prepared_path(tmp_path, Stream.LIKES, HOUR).exists()


def test_in_every_state_of_the_disk_each_event_is_in_the_hour_or_will_be() -> None:
    """No step adds outputs to an hour with inputs, or removes inputs without outputs to replace them."""
    every = sorted(OLD | NEW | {LATE})
    subsets = [frozenset(some) for count in range(len(every) + 1) for some in combinations(every, count)]
    for present in subsets:
        for prepared in subsets:
            for replaced in (frozenset[str](), OLD):
                todo = step(manifest(), present, prepared, replaced)
                if todo is Step.EXCHANGE:
                    assert (present, prepared) == (OLD, NEW)
                if todo is Step.MOVE:
                    assert present.isdisjoint(OLD)
                    assert present | prepared >= NEW
                if todo is Step.FINISH:
                    assert present >= NEW
                assert todo is not Step.REMOVE


def test_two_directories_are_exchanged(tmp_path: Path) -> None:
    fill(tmp_path / "one", {"a"})
    fill(tmp_path / "other", {"b"})
    if not exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system cannot exchange")
    assert (names(tmp_path / "one"), names(tmp_path / "other")) == ({"b"}, {"a"})
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "one", tmp_path / "nowhere")
