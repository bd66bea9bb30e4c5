"""SWAP: prepared files take the place of an hour's, in one step, as manifests say.

Only for the stream's owner, and only while Redis has no claim of the stream: what a claim holds may be in the
archive already, and would be written again beside what it was merged into. Killed anywhere it is done again:
what is owed is derived from what lies where.
"""

from __future__ import annotations

import itertools
import os
import time
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.archive.durable import exchange, make_directories, sync_directory, up_to
from services.archive.manifest import LOSING, note_removal, note_rewrite, read_manifest
from services.archive.paths import (
    PREPARED,
    REPLACED_SUFFIX,
    hour_directory,
    hour_text,
    manifest_path,
    prepared_path,
    replaced_path,
)
from services.shared.crash_points import CrashPoint, reach

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from services.archive.manifest import SwapManifest
    from services.shared.event import Stream

log = structlog.get_logger()


class Step(Enum):
    """What is to be done about a manifest."""

    EXCHANGE = auto()
    """The hour holds the inputs, the prepared directory the outputs."""
    REMOVE = auto()
    """The hour holds the inputs, and nothing is to take their place."""
    GO_ON = auto()
    """The inputs are in the trash and some outputs are not in the hour yet: no exchange was possible here."""
    FINISH = auto()
    """The hour holds the outputs; what is left is to tidy up."""
    DISCARD = auto()
    """The hour is another than was prepared for: a late part came. It is to be prepared anew."""


class Swapped(NamedTuple):
    """What came of a manifest."""

    manifest: SwapManifest
    step: Step
    files_deleted: tuple[Path, ...]
    """Where files were."""
    files_added: tuple[Path, ...]
    """Where files are now."""


def pending_manifests(root: Path, stream: Stream) -> list[Path]:
    """Return the manifests of a stream's prepared hours, the oldest hour first."""
    return sorted((root / PREPARED / stream.value).glob("*.json"))


def swap_prepared(root: Path, stream: Stream) -> Iterator[Swapped]:
    """Do what the manifests of a stream say, one at a time. Raises as `swap_hour` does."""
    for path in pending_manifests(root, stream):
        yield swap_hour(root, path)


def swap_hour(root: Path, path: Path) -> Swapped:
    """Do what one manifest says; a call after a kill or an error completes it.

    Raises OSError, and BrokenInvariant if the manifest or a note on its hour is damaged.
    """
    manifest = read_manifest(path)
    swapped = _swap(root, manifest)
    log.info(
        "swap.done" if swapped.step is not Step.DISCARD else "swap.discarded",
        stream=manifest.stream,
        hour=hour_text(manifest.hour),
        cause=manifest.cause,
        files=len(swapped.files_deleted),
        into=len(swapped.files_added),
    )
    return swapped


def step(
    manifest: SwapManifest, here: AbstractSet[str], there: AbstractSet[str], trashed: AbstractSet[str]
) -> Step:
    """Return what is to be done, by the names in the hour, in the prepared directory and in the trash.

    Outputs have names that no input has, so those that are in the hour can only have come by a swap.
    """
    inputs, outputs = manifest.input_names, manifest.output_names
    if outputs and outputs <= here:
        return Step.FINISH
    if here == inputs and there == outputs:
        return Step.EXCHANGE if outputs else Step.REMOVE
    if not outputs and here.isdisjoint(inputs):
        return Step.FINISH
    if trashed == inputs and here.isdisjoint(inputs) and outputs <= here | there:
        return Step.GO_ON
    return Step.DISCARD


class _Places(NamedTuple):
    """Where what a manifest speaks of lies, or is to lie."""

    hour: Path
    fresh: Path
    trash: Path


def _swap(root: Path, manifest: SwapManifest) -> Swapped:
    stream, hour = manifest.stream, manifest.hour
    at = _Places(
        hour_directory(root, stream, hour),
        prepared_path(root, stream, hour),
        replaced_path(root, stream, hour, manifest.id),
    )
    todo = step(manifest, _names(at.hour), _names(at.fresh), _replaced_names(at.trash))
    if todo is Step.DISCARD:
        _discard(root, manifest, at)
        return Swapped(manifest, todo, (), ())
    if not manifest.outputs:
        # Also where the hour is gone already: the note is what the ledger goes by.
        note_removal(root, manifest)
        reach(CrashPoint.SWAP_NOTED)
    match todo:
        case Step.REMOVE:
            _move(root, at.hour, at.trash)
        case Step.EXCHANGE:
            _exchange(root, manifest, at)
        case Step.GO_ON:
            _go_on(root, manifest, at)
    if manifest.outputs and at.fresh.exists():
        _move(root, at.fresh, at.trash)
    _sync(root, at.hour, at.trash, at.fresh.parent)
    reach(CrashPoint.SWAP_TRASHED)
    mark_replaced(at.trash)
    reach(CrashPoint.SWAP_MARKED)
    if manifest.outputs and manifest.cause in LOSING:
        note_rewrite(root, manifest, time.time_ns() // 1000)
        reach(CrashPoint.SWAP_TOLD)
    _forget(root, manifest)
    reach(CrashPoint.SWAP_DONE)
    gone = tuple(at.hour / name for name in sorted(manifest.input_names))
    return Swapped(manifest, todo, gone, tuple(at.hour / name for name in sorted(manifest.output_names)))


def _exchange(root: Path, manifest: SwapManifest, at: _Places) -> None:
    reach(CrashPoint.SWAP_BEFORE_EXCHANGE)
    if exchange(at.hour, at.fresh):
        # Both must be durable before anything is moved on: else a power cut could leave the hour to neither.
        sync_directory(at.hour.parent)
        sync_directory(at.fresh.parent)
        reach(CrashPoint.SWAP_AFTER_EXCHANGE)
        return
    # Without the call there is a moment in which the hour is not there; DATA.md says so.
    _move(root, at.hour, at.trash)
    _sync(root, at.hour, at.trash)
    reach(CrashPoint.SWAP_HALF_WAY)
    _go_on(root, manifest, at)


def _go_on(root: Path, manifest: SwapManifest, at: _Places) -> None:
    make_directories(root, at.hour)
    for name in sorted(manifest.output_names & _names(at.fresh)):
        (at.fresh / name).rename(at.hour / name)
    _sync(root, at.hour, at.fresh)
    at.fresh.rmdir()


def _move(root: Path, directory: Path, trash: Path) -> None:
    """Move a directory to the trash, in one step, where its age counts from now."""
    make_directories(root, trash.parent)
    if trash.exists():
        # The same files were here before, and came back: what a restored backup does.
        aside = (trash.with_name(f"{trash.name}-{number}") for number in itertools.count(1))
        trash.rename(next(path for path in aside if not path.exists()))
    os.utime(directory)
    directory.rename(trash)


def _discard(root: Path, manifest: SwapManifest, at: _Places) -> None:
    """Take the manifest away first: without one, what is prepared is nobody's."""
    _forget(root, manifest)
    reach(CrashPoint.SWAP_DISCARDED)
    if at.fresh.exists():
        # Never deleted here, whatever it may be.
        discarded = at.trash.with_name(f"{at.trash.name}-discarded")
        _move(root, at.fresh, discarded)
        sync_directory(at.fresh.parent)
        mark_replaced(discarded)


def _forget(root: Path, manifest: SwapManifest) -> None:
    path = manifest_path(root, manifest.stream, manifest.hour)
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def _sync(root: Path, *directories: Path) -> None:
    for directory in up_to(root, [path / "any" for path in directories]):
        if directory.exists():
            sync_directory(directory)


def mark_replaced(directory: Path) -> None:
    """Give the files of a directory the suffix of replaced ones. Idempotent: a kill may fall between two."""
    for name in _names(directory):
        if not name.endswith(REPLACED_SUFFIX):
            (directory / name).rename(directory / f"{name}{REPLACED_SUFFIX}")


def _replaced_names(directory: Path) -> frozenset[str]:
    """Return the names that files had before they were replaced, whether or not they bear the suffix yet."""
    return frozenset(name.removesuffix(REPLACED_SUFFIX) for name in _names(directory))


def _names(directory: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return frozenset()
