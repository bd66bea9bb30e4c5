"""The door to the archive for everybody but commit: a manifest says which files take the place of which.

Whoever changes what is committed (compaction, retention, forget, offload) prepares the new files of an hour
beside the datasets and writes a manifest last; the stream's owner swaps (see `swap`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from services.archive.durable import write_durably
from services.archive.footer import Counts, accounted, rows_in, total
from services.archive.parquet import open_part
from services.archive.paths import (
    hour_directory,
    inputs_id,
    manifest_path,
    removed_path,
    rewritten_path,
)
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

T = TypeVar("T")


class Cause(StrEnum):
    """Why an hour changes: the whole list."""

    COMPACTION = "compaction"
    RETENTION = "retention"
    FORGET = "forget"
    OFFLOAD = "offload"
    DELETIONS = "deletions"
    """Records or accounts were deleted, and the archive's policy is to follow."""


LOSING = frozenset({Cause.FORGET, Cause.DELETIONS})
"""Causes for which rows leave an hour that stays, beside those that were there twice."""


class Input(msgspec.Struct, frozen=True):
    """A file that goes: the hour must hold exactly the inputs when it comes to it."""

    name: str
    bytes: int
    accounted: Counts
    """What the ledger owes to it: its rows, and those that were removed when it was made."""


class Output(msgspec.Struct, frozen=True):
    """A file that comes."""

    name: str
    rows: int
    bytes: int


class SwapManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What takes the place of what in one hour of a stream; with no outputs, the hour's directory goes."""

    id: str
    """A function of stream, hour, cause and inputs."""
    stream: Stream
    hour: int
    """Counted from 1970."""
    cause: Cause
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    removed: Counts
    """Rows that are in the inputs and not in the outputs, by epoch and source stream."""
    report: dict[str, Any] = {}
    """What a person is to be told of the change; for whoever prepares it."""

    @property
    def input_names(self) -> frozenset[str]:
        """Names of the files that go."""
        return frozenset(one.name for one in self.inputs)

    @property
    def output_names(self) -> frozenset[str]:
        """Names of the files that come."""
        return frozenset(one.name for one in self.outputs)


class Removal(msgspec.Struct, frozen=True):
    """The durable note of an hour that went for good: what the ledger owes to files that are no more."""

    manifest: str
    cause: Cause
    inputs: tuple[Input, ...]


class Rewrite(msgspec.Struct, frozen=True):
    """The durable note of an hour that lost rows on purpose, and of the files that had them."""

    manifest: str
    cause: Cause
    at_us: int
    """When it was done, in Unix microseconds."""
    files: tuple[str, ...]
    """Names of the files that went."""
    rows: int
    """Rows that went with them."""
    report: dict[str, Any] = {}
    """As in the manifest."""


def inputs_of(root: Path, stream: Stream, hour: int, names: Iterable[str]) -> tuple[Input, ...]:
    """Read the footers of an hour's files. Raises as `open_part` does."""
    found = []
    for name in sorted(names):
        with open_part(hour_directory(root, stream, hour) / name) as part:
            found.append(Input(name, part.bytes, accounted(part.footer)))
    return tuple(found)


def removal_of(root: Path, stream: Stream, hour: int, names: Iterable[str], cause: Cause) -> SwapManifest:
    """Return the manifest by which an hour goes as a whole: for retention, offload and forget."""
    inputs = inputs_of(root, stream, hour, names)
    identity = inputs_id(stream, str(hour), cause, *(one.name for one in inputs))
    removed = total(*(one.accounted for one in inputs))
    return SwapManifest(
        id=identity, stream=stream, hour=hour, cause=cause, inputs=inputs, outputs=(), removed=removed
    )


def write_manifest(root: Path, manifest: SwapManifest) -> Path:
    """Hand a change over, durably; its outputs must be durable already. Raises OSError."""
    path = manifest_path(root, manifest.stream, manifest.hour)
    write_durably(root, path, msgspec.json.format(msgspec.json.encode(manifest)))
    return path


def read_manifest(path: Path) -> SwapManifest:
    """Read a manifest. Raises OSError, or BrokenInvariant when it is none of this version."""
    return _read(path, SwapManifest)


def note_removal(root: Path, manifest: SwapManifest) -> Path:
    """Note, durably and once, what an hour that is about to go leaves to account for. Raises OSError."""
    path = removed_path(root, manifest.stream, manifest.hour)
    noted = read_removals(path)
    if all(one.manifest != manifest.id for one in noted):
        noted += (Removal(manifest.id, manifest.cause, manifest.inputs),)
        write_durably(root, path, msgspec.json.format(msgspec.json.encode(noted)))
    return path


def read_removals(path: Path) -> tuple[Removal, ...]:
    """Read the notes on an hour; none when there is no file."""
    try:
        return _read(path, tuple[Removal, ...])
    except FileNotFoundError:
        return ()


def note_rewrite(root: Path, manifest: SwapManifest, now_us: int) -> Path:
    """Note, durably and once, that an hour lost rows. Raises OSError."""
    path = rewritten_path(root, manifest.stream, manifest.hour)
    noted = read_rewrites(path)
    if all(one.manifest != manifest.id for one in noted):
        files, rows = tuple(sorted(manifest.input_names)), rows_in(manifest.removed)
        noted += (Rewrite(manifest.id, manifest.cause, now_us, files, rows, manifest.report),)
        write_durably(root, path, msgspec.json.format(msgspec.json.encode(noted)))
    return path


def read_rewrites(path: Path) -> tuple[Rewrite, ...]:
    """Read the notes on an hour; none when there is no file."""
    try:
        return _read(path, tuple[Rewrite, ...])
    except FileNotFoundError:
        return ()


def removed_here(directory: Path, removals: Iterable[Removal]) -> Counts:
    """Return what is to be accounted for of an hour's removals: of files that are truly gone, each once.

    A removal is noted before the hour goes; until then its files speak for themselves.
    """
    gone = {one.name: one for removal in removals for one in removal.inputs}
    return total(*(one.accounted for name, one in gone.items() if not (directory / name).exists()))


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{path} cannot be read ({error}); move it away, nothing depends on it"
        ) from error
