"""Swap manifests: which prepared files replace which files of an hour, and why.

Everything but commit changes the archive through them (compaction, retention, offload, forget, deletions):
the change is prepared under `.state/prepared`, its manifest is written last, and the stream's owner swaps
(`swap.py`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from services.archive.durable import write_durably
from services.archive.footer import Counts, accounted, total
from services.archive.parquet import open_part
from services.archive.paths import hour_directory, inputs_id, manifest_path
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream  # noqa: TC001 - msgspec reads it

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Cause(StrEnum):
    """Why an hour changes: the whole list."""

    COMPACTION = "compaction"
    RETENTION = "retention"
    FORGET = "forget"
    OFFLOAD = "offload"
    DELETIONS = "deletions"
    """Records or accounts were deleted, and the archive's policy is to delete their rows."""


ROW_REMOVING = frozenset({Cause.FORGET, Cause.DELETIONS})
"""Causes that remove rows, other than duplicates, from an hour that stays."""


class Input(msgspec.Struct, frozen=True):
    """A file that is replaced. The swap is discarded unless the hour holds exactly the inputs."""

    name: str
    bytes: int
    accounted: Counts
    """Rows that the ledger counts for it: those it has, and those that were removed when it was written."""


class Output(msgspec.Struct, frozen=True):
    """A prepared file."""

    name: str
    rows: int
    bytes: int


class SwapManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one hour of a stream. Without outputs the hour's directory is removed."""

    id: str
    """A function of stream, hour, cause and inputs."""
    stream: Stream
    hour: int
    """Counted from 1970."""
    cause: Cause
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    removed: Counts
    """Rows of the inputs that are not in the outputs, by epoch and source stream."""
    report: dict[str, Any] = {}
    """Details of the change for users, as its preparer wrote them."""

    @property
    def input_names(self) -> frozenset[str]:
        """Names of the inputs."""
        return frozenset(one.name for one in self.inputs)

    @property
    def output_names(self) -> frozenset[str]:
        """Names of the outputs."""
        return frozenset(one.name for one in self.outputs)


def inputs_of(root: Path, stream: Stream, hour: int, names: Iterable[str]) -> tuple[Input, ...]:
    """Read the footers of an hour's files. Raises as `open_part` does."""
    found = []
    for name in sorted(names):
        with open_part(hour_directory(root, stream, hour) / name) as part:
            found.append(Input(name, part.bytes, accounted(part.footer)))
    return tuple(found)


def removal_of(root: Path, stream: Stream, hour: int, names: Iterable[str], cause: Cause) -> SwapManifest:
    """Return the manifest that removes a whole hour. Raises as `open_part` does."""
    inputs = inputs_of(root, stream, hour, names)
    identity = inputs_id(stream, str(hour), cause, *(one.name for one in inputs))
    removed = total(*(one.accounted for one in inputs))
    return SwapManifest(
        id=identity, stream=stream, hour=hour, cause=cause, inputs=inputs, outputs=(), removed=removed
    )


def write_manifest(root: Path, manifest: SwapManifest) -> Path:
    """Write a manifest, durably; its outputs must be durable already. Raises OSError."""
    path = manifest_path(root, manifest.stream, manifest.hour)
    write_durably(root, path, msgspec.json.format(msgspec.json.encode(manifest)))
    return path


def read_manifest(path: Path) -> SwapManifest:
    """Read a manifest. Raises OSError, or BrokenInvariant when it is damaged or of another version."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=SwapManifest)
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{path} cannot be read ({error}); move it away: the hour keeps its files, and the change is "
            "prepared again"
        ) from error
