"""Durable notes on hours that lost rows on purpose: hours that were removed as a whole, and rewritten hours.

The ledger still accounts for the rows of removed hours; users see which rows a rewrite removed, and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from services.archive.durable import write_durably
from services.archive.footer import Counts, rows_in, total
from services.archive.manifest import Cause, Input  # noqa: TC001 - msgspec reads them
from services.archive.paths import removed_path, rewritten_path
from services.shared.errors import BrokenInvariant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.archive.manifest import SwapManifest

T = TypeVar("T")


class Removal(msgspec.Struct, frozen=True):
    """An hour was removed: the files that it held, which the ledger still accounts for."""

    manifest: str
    cause: Cause
    inputs: tuple[Input, ...]


class Rewrite(msgspec.Struct, frozen=True):
    """An hour was rewritten without some of its rows."""

    manifest: str
    cause: Cause
    at_us: int
    """Time of the swap, in Unix microseconds."""
    files: tuple[str, ...]
    """Names of the files that were replaced."""
    rows: int
    """Rows that were removed."""
    report: dict[str, Any] = {}
    """As in the manifest."""


def note_removal(root: Path, manifest: SwapManifest) -> Path:
    """Add the removal of an hour to its note, durably and once, before the removal; return the note's path.

    Raises OSError, or BrokenInvariant when the note is damaged.
    """
    path = removed_path(root, manifest.stream, manifest.hour)
    noted = read_removals(path)
    if all(one.manifest != manifest.id for one in noted):
        noted += (Removal(manifest.id, manifest.cause, manifest.inputs),)
        write_durably(root, path, msgspec.json.format(msgspec.json.encode(noted)))
    return path


def read_removals(path: Path) -> tuple[Removal, ...]:
    """Read the removals of an hour; none without a note. Raises OSError, or BrokenInvariant when damaged."""
    return _read(path, tuple[Removal, ...], "the rows of the removed hour then count as lost")


def removed_here(directory: Path, removals: Iterable[Removal]) -> Counts:
    """Return the rows of an hour's removed files, each file once.

    A removal is noted before its files go: a file that still exists is not counted here.
    """
    inputs = {one.name: one for removal in removals for one in removal.inputs}
    return total(*(one.accounted for name, one in inputs.items() if not (directory / name).exists()))


def note_rewrite(root: Path, manifest: SwapManifest, now_us: int) -> Path:
    """Add the rewrite of an hour to its note, durably and once; return the note's path.

    Raises OSError, or BrokenInvariant when the note is damaged.
    """
    path = rewritten_path(root, manifest.stream, manifest.hour)
    noted = read_rewrites(path)
    if all(one.manifest != manifest.id for one in noted):
        files, rows = tuple(sorted(manifest.input_names)), rows_in(manifest.removed)
        noted += (Rewrite(manifest.id, manifest.cause, now_us, files, rows, manifest.report),)
        write_durably(root, path, msgspec.json.format(msgspec.json.encode(noted)))
    return path


def read_rewrites(path: Path) -> tuple[Rewrite, ...]:
    """Read the rewrites of an hour; none without a note. Raises OSError, or BrokenInvariant when damaged."""
    return _read(path, tuple[Rewrite, ...], "earlier rewrites of the hour are then no longer reported")


def _read(path: Path, kind: type[tuple[T, ...]], consequence: str) -> tuple[T, ...]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return ()
    except msgspec.MsgspecError as error:
        raise BrokenInvariant(
            f"{path} cannot be read ({error}); restore it from a backup, or move it away: {consequence}"
        ) from error
