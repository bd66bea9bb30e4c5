"""SWAP: replace the files of an hour with prepared ones, in one step, as a manifest states.

Only the stream's owner swaps, and only while Redis has no claim of the stream: the events of a claim may be
in the archive already, and would be written again beside the file that they were merged into. After a kill
the swap is completed: what is left to do is derived from the names of the files in each directory.
"""

from __future__ import annotations

import itertools
import os
import time
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.archive.durable import exchange, make_directories, sync_directory, up_to
from services.archive.manifest import ROW_REMOVING, read_manifest
from services.archive.notes import note_removal, note_rewrite
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
    """What is left to do for a manifest."""

    EXCHANGE = auto()
    """The hour holds the inputs, the prepared directory the outputs."""
    REMOVE = auto()
    """The hour holds the inputs, and there are no outputs."""
    MOVE = auto()
    """The inputs were moved out, and outputs are still prepared: the file system cannot exchange."""
    FINISH = auto()
    """The hour holds the outputs: only the other directories and the manifest are left."""
    DISCARD = auto()
    """The hour holds other files than the inputs, because a part was committed since: prepare it again."""


class Swapped(NamedTuple):
    """The result of a swap."""

    manifest: SwapManifest
    step: Step
    files_deleted: tuple[Path, ...]
    """Former paths of the inputs."""
    files_added: tuple[Path, ...]
    """Paths of the outputs."""


def pending_manifests(root: Path, stream: Stream) -> list[Path]:
    """Return the manifests of a stream's prepared hours, the oldest hour first."""
    return sorted((root / PREPARED / stream.value).glob("*.json"))


def swap_prepared(root: Path, stream: Stream) -> Iterator[Swapped]:
    """Swap all prepared hours of a stream, one at a time. Raises as `swap_hour` does."""
    for path in pending_manifests(root, stream):
        yield swap_hour(root, path)


def swap_hour(root: Path, path: Path) -> Swapped:
    """Swap one prepared hour; a call after a kill or an error completes the swap.

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
    manifest: SwapManifest,
    present: AbstractSet[str],
    prepared: AbstractSet[str],
    replaced: AbstractSet[str],
) -> Step:
    """Pure: return what is left to do, from the names in the hour's, prepared and replaced directories.

    No output has the name of an input, so an output in the hour's directory came by a swap.
    """
    inputs, outputs = manifest.input_names, manifest.output_names
    if outputs and outputs <= present:
        return Step.FINISH
    if present == inputs and prepared == outputs:
        return Step.EXCHANGE if outputs else Step.REMOVE
    if not outputs and present.isdisjoint(inputs):
        return Step.FINISH
    if replaced == inputs and present.isdisjoint(inputs) and outputs <= present | prepared:
        return Step.MOVE
    return Step.DISCARD


class _Directories(NamedTuple):
    """The directories that a swap moves files between."""

    hour: Path
    prepared: Path
    replaced: Path


def _swap(root: Path, manifest: SwapManifest) -> Swapped:
    stream, hour = manifest.stream, manifest.hour
    at = _Directories(
        hour_directory(root, stream, hour),
        prepared_path(root, stream, hour),
        replaced_path(root, stream, hour, manifest.id),
    )
    todo = step(manifest, _names(at.hour), _names(at.prepared), _replaced_names(at.replaced))
    if todo is Step.DISCARD:
        _discard(root, manifest, at)
        return Swapped(manifest, todo, (), ())
    if not manifest.outputs:
        # Even when the hour is removed already: the ledger counts its rows by the note.
        note_removal(root, manifest)
        reach(CrashPoint.SWAP_NOTED)
    match todo:
        case Step.REMOVE:
            _move(root, at.hour, at.replaced)
        case Step.EXCHANGE:
            _exchange(root, manifest, at)
        case Step.MOVE:
            _move_in(root, manifest, at)
    if manifest.outputs and at.prepared.exists():
        _move(root, at.prepared, at.replaced)
    _sync(root, at.hour, at.replaced, at.prepared.parent)
    reach(CrashPoint.SWAP_REPLACED)
    mark_replaced(at.replaced)
    reach(CrashPoint.SWAP_MARKED)
    if manifest.outputs and manifest.cause in ROW_REMOVING:
        note_rewrite(root, manifest, time.time_ns() // 1000)
        reach(CrashPoint.SWAP_REWRITE_NOTED)
    _delete_manifest(root, manifest)
    reach(CrashPoint.SWAP_DONE)
    deleted = tuple(at.hour / name for name in sorted(manifest.input_names))
    added = tuple(at.hour / name for name in sorted(manifest.output_names))
    return Swapped(manifest, todo, deleted, added)


def _exchange(root: Path, manifest: SwapManifest, at: _Directories) -> None:
    reach(CrashPoint.SWAP_BEFORE_EXCHANGE)
    if exchange(at.hour, at.prepared):
        # Both renames must be durable before the next step, or a power cut could lose the hour's directory.
        sync_directory(at.hour.parent)
        sync_directory(at.prepared.parent)
        reach(CrashPoint.SWAP_AFTER_EXCHANGE)
        return
    # Without an exchange the hour's directory is missing for a moment; DATA.md documents it.
    _move(root, at.hour, at.replaced)
    _sync(root, at.hour, at.replaced)
    reach(CrashPoint.SWAP_HALF_WAY)
    _move_in(root, manifest, at)


def _move_in(root: Path, manifest: SwapManifest, at: _Directories) -> None:
    make_directories(root, at.hour)
    for name in sorted(manifest.output_names & _names(at.prepared)):
        (at.prepared / name).rename(at.hour / name)
    _sync(root, at.hour, at.prepared)
    at.prepared.rmdir()


def _move(root: Path, directory: Path, replaced: Path) -> None:
    """Move a directory to the replaced files, in one step; its age counts from now."""
    make_directories(root, replaced.parent)
    if replaced.exists():
        # The same files were replaced before and came back, as after the restore of a backup.
        free = (replaced.with_name(f"{replaced.name}-{number}") for number in itertools.count(1))
        replaced.rename(next(path for path in free if not path.exists()))
    os.utime(directory)
    directory.rename(replaced)


def _discard(root: Path, manifest: SwapManifest, at: _Directories) -> None:
    """Delete the manifest first: prepared files without one are never swapped in."""
    _delete_manifest(root, manifest)
    reach(CrashPoint.SWAP_DISCARDED)
    if at.prepared.exists():
        # Moved, not deleted: after a kill in an exchange the directory may hold the hour's files.
        discarded = at.replaced.with_name(f"{at.replaced.name}-discarded")
        _move(root, at.prepared, discarded)
        sync_directory(at.prepared.parent)
        mark_replaced(discarded)


def _delete_manifest(root: Path, manifest: SwapManifest) -> None:
    path = manifest_path(root, manifest.stream, manifest.hour)
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def _sync(root: Path, *directories: Path) -> None:
    for directory in up_to(root, [path / "any" for path in directories]):
        if directory.exists():
            sync_directory(directory)


def mark_replaced(directory: Path) -> None:
    """Add REPLACED_SUFFIX to the names of a directory's files. Idempotent: a kill may interrupt it."""
    for name in _names(directory):
        if not name.endswith(REPLACED_SUFFIX):
            (directory / name).rename(directory / f"{name}{REPLACED_SUFFIX}")


def _replaced_names(directory: Path) -> frozenset[str]:
    """Return the names of a directory's files without REPLACED_SUFFIX."""
    return frozenset(name.removesuffix(REPLACED_SUFFIX) for name in _names(directory))


def _names(directory: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return frozenset()
