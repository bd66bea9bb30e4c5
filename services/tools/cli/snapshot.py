"""`archive snapshot`: names the files of closed hours with a hash to cite, and verifies them later."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from services.archive.durable import write_durably
from services.archive.paths import SNAPSHOTS
from services.shared.errors import BadInput
from services.tools.console import FINE, FOUND, console, print_json, size, table
from services.tools.copy.snapshot_manifest import (
    changed_files,
    decode,
    encode,
    manifest_of,
    manifest_path,
    read,
    rewrite_reason,
)
from services.tools.query.coverage import is_closed, read_coverage
from services.tools.query.parts import ALL_HOURS, find, read_hours
from services.tools.query.tiers import bucket_for, remote_files
from services.tools.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

    from services.tools.query.parts import PartFile

_MAKE = "make"


class _DefaultMake(TyperGroup):
    """`snapshot NAME` is short for `snapshot make NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Insert `make` where no command is named."""
        named = bool(args) and args[0] in self.commands
        return super().resolve_command(ctx, args if named else [_MAKE, *args])


snapshot = typer.Typer(
    cls=_DefaultMake,
    no_args_is_help=True,
    help="Name the files of closed hours with a hash to cite: archive snapshot NAME. "
    "Verify them later: archive snapshot verify NAME.",
)


@snapshot.command(_MAKE)
def make(
    name: Annotated[str, typer.Argument(help="A new name, e.g. paper-2026.")],
    *,
    hours: Annotated[str, typer.Option(help="Only these hours, e.g. 2026-07-01..2026-07-31.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest without its files.")] = False,
) -> None:
    """Write a manifest of the files of closed hours, and print the hash over all of them."""
    root = settings().root
    chosen = read_hours(hours) if hours else ALL_HOURS
    path = manifest_path(root, name)
    if path.exists():
        raise BadInput(f"snapshot {name} exists already, and a snapshot never changes; choose another name")
    parts = _closed_parts(root, chosen)
    remote = remote_files(root, hours=chosen)
    if not parts and not remote:
        raise BadInput("none of these hours is closed yet; `archive coverage` shows which are")
    made = manifest_of(root, name, parts, remote, datetime.now(UTC))
    write_durably(root, path, encode(made))
    if as_json:
        print_json({field: getattr(made, field) for field in made.__struct_fields__ if field != "files"})
    else:
        console().print(f"{len(made.files):,} files, {made.rows:,} rows, {size(made.bytes)}", highlight=False)
        console().print(f"{made.first_hour} to {made.last_hour}, sha256 {made.sha256}")


@snapshot.command("verify")
def verify(
    name: Annotated[str, typer.Argument(help="The snapshot's name.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Read every file of a snapshot again.

    Exit code 1 if one is missing, altered, or rewritten on purpose.
    """
    given = settings()
    root, manifest = given.root, read(given.root, name)
    named = {one.path for one in manifest.files}
    remote = [one for one in remote_files(root) if one.key in named]
    bucket = bucket_for(given, remote, "snapshot verify")
    wrong = changed_files(root, manifest, {} if bucket is None else {one.key: bucket for one in remote})
    rewritten = {path: why for path in wrong if (why := rewrite_reason(root, path))}
    wrong = {path: fault for path, fault in wrong.items() if path not in rewritten}
    if as_json:
        summary = {"name": name, "sha256": manifest.sha256, "files": len(manifest.files)}
        print_json({**summary, "wrong": wrong, "rewritten": rewritten})
    for title, files in (("wrong", wrong), ("rewritten on purpose since", rewritten)):
        if files and not as_json:
            counted = f"{title}: {len(files)} of {len(manifest.files)} files"
            console().print(table(("file", "why"), files.items(), counted))
    if not (wrong or rewritten or as_json):
        console().print(f"{len(manifest.files):,} files are unchanged: sha256 {manifest.sha256}")
    raise typer.Exit(FOUND if wrong or rewritten else FINE)


@snapshot.command("list")
def list_snapshots(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print a list of JSON objects.")] = False
) -> None:
    """List the snapshots."""
    root = settings().root
    manifests = [
        decode(path.read_bytes(), str(path)) for path in sorted((root / SNAPSHOTS).glob("*/manifest.json"))
    ]
    columns = ("name", "made_at", "first_hour", "last_hour", "rows", "bytes", "sha256")
    rows = [tuple(getattr(one, column) for column in columns) for one in manifests]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        console().print(table(columns, rows, right=("rows", "bytes")))


def _closed_parts(root: Path, hours: range) -> list[PartFile]:
    covered = read_coverage(root)
    rows = ((part, covered.get((part.stream, part.hour))) for part in find(root, hours=hours).parts)
    return [part for part, row in rows if row is not None and is_closed(row)]
