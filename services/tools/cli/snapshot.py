"""`archive snapshot`: what closed hours hold, with a hash to cite; says later whether it is so still."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from services.archive.durable import write_durably
from services.archive.manifest import read_rewrites
from services.archive.parquet import open_part
from services.archive.paths import (
    SNAPSHOTS,
    archive_id_path,
    hour_text,
    parse_name,
    parse_part_key,
    rewritten_path,
)
from services.shared.errors import BadInput
from services.tools.console import FINE, FOUND, console, instant_us, progress, say_json, size, table
from services.tools.copy.snapshot_manifest import (
    VERSION,
    FileEntry,
    SnapshotManifest,
    content_hash,
    decode,
    encode,
    file_hash,
    manifest_path,
)
from services.tools.query.coverage import is_settled, read_coverage
from services.tools.query.parts import ALL_HOURS, find, read_hours
from services.tools.query.tiers import bucket_for, only_there
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from services.tools.offload.bucket import Bucket
    from services.tools.offload.index import Far
    from services.tools.query.coverage import Table
    from services.tools.query.parts import PartFile

_MAKE = "make"


class _MakeIsMeant(TyperGroup):
    """`snapshot NAME` is `snapshot make NAME`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Name the command that was left out."""
        named = bool(args) and args[0] in self.commands
        return super().resolve_command(ctx, args if named else [_MAKE, *args])


snapshot = typer.Typer(
    cls=_MakeIsMeant,
    no_args_is_help=True,
    help="What closed hours hold, with a hash to cite: archive snapshot NAME, archive snapshot verify NAME.",
)


@snapshot.command(_MAKE)
def make(
    name: Annotated[str, typer.Argument(help="A new name, e.g. paper-2026.")],
    *,
    hours: Annotated[str, typer.Option(help="Only these, e.g. 2026-07-01..2026-07-31.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The manifest without its files.")] = False,
) -> None:
    """Write the manifest of closed hours; prints the hash that stands for all of it."""
    root = settings().root
    chosen = read_hours(hours) if hours else ALL_HOURS
    path = manifest_path(root, name)
    if path.exists():
        raise BadInput(
            f"there is a snapshot {name} already, and a snapshot never changes; choose another name"
        )
    parts = settled(find(root, hours=chosen).parts, read_coverage(root))
    far = only_there(root, hours=chosen)
    if not parts and not far:
        raise BadInput("none of these hours is closed yet; `archive coverage` shows which are")
    made = manifest_of(root, name, parts, far, datetime.now(UTC))
    write_durably(root, path, encode(made))
    if as_json:
        say_json({field: getattr(made, field) for field in made.__struct_fields__ if field != "files"})
    else:
        console().print(f"{len(made.files):,} files, {made.rows:,} rows, {size(made.bytes)}", highlight=False)
        console().print(f"{made.first_hour} to {made.last_hour}, sha256 {made.sha256}")


@snapshot.command("verify")
def verify(
    name: Annotated[str, typer.Argument(help="As it was made.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One object.")] = False,
) -> None:
    """Read every file of a snapshot again. Exit code 1 if one is gone, altered, or rewritten on purpose."""
    given = settings()
    root, kept = given.root, read(given.root, name)
    named = {one.path for one in kept.files}
    far = [one for one in only_there(root) if one.key in named]
    bucket = bucket_for(given, far, "snapshot verify")
    wrong = compare(root, kept, {} if bucket is None else {one.key: bucket for one in far})
    rewritten = {path: why for path in wrong if (why := rewritten_for(root, path))}
    wrong = {path: fault for path, fault in wrong.items() if path not in rewritten}
    if as_json:
        told = {"name": name, "sha256": kept.sha256, "files": len(kept.files)}
        say_json({**told, "wrong": wrong, "rewritten": rewritten})
    for title, files in (("wrong", wrong), ("rewritten on purpose since", rewritten)):
        if files and not as_json:
            counted = f"{title}: {len(files)} of {len(kept.files)} files"
            console().print(table(("file", "why"), files.items(), counted))
    if not (wrong or rewritten or as_json):
        console().print(f"{len(kept.files):,} files are as they were: sha256 {kept.sha256}")
    raise typer.Exit(FOUND if wrong or rewritten else FINE)


@snapshot.command("list")
def list_snapshots(
    *, as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False
) -> None:
    """Which snapshots there are."""
    root = settings().root
    kept = [
        decode(path.read_bytes(), str(path)) for path in sorted((root / SNAPSHOTS).glob("*/manifest.json"))
    ]
    columns = ("name", "made_at", "first_hour", "last_hour", "rows", "bytes", "sha256")
    rows = [tuple(getattr(one, column) for column in columns) for one in kept]
    if as_json:
        say_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        console().print(table(columns, rows, right=("rows", "bytes")))


def read(root: Path, name: str) -> SnapshotManifest:
    """Read a snapshot. Raises BadInput where there is none."""
    path = manifest_path(root, name)
    try:
        return decode(path.read_bytes(), str(path))
    except FileNotFoundError as error:
        raise BadInput(f"there is no snapshot {name}; `archive snapshot list` names them") from error


def rewritten_for(root: Path, path: str) -> str:
    """Return why a file that is not here any more was rewritten; empty where nothing was noted of it."""
    parsed = parse_part_key(path)
    if parsed is None or (root / path).exists():
        return ""
    stream, hour, _ = parsed
    for note in read_rewrites(rewritten_path(root, stream, hour)):
        if (root / path).name in note.files:
            return f"{note.cause}: {note.rows:,} rows left its hour at {instant_us(note.at_us)}"
    return ""


def settled(parts: Sequence[PartFile], covered: Table) -> list[PartFile]:
    """Return the parts of hours that no more events are expected in. Pure."""
    rows = ((part, covered.get((part.stream, part.hour))) for part in parts)
    return [part for part, row in rows if row is not None and is_settled(row)]


def manifest_of(
    root: Path, name: str, parts: Sequence[PartFile], far: Sequence[Far], now: datetime
) -> SnapshotManifest:
    """Read the parts and return their manifest; what lies in the bucket was read when it was noted."""
    with progress() as bar:
        task = bar.add_task("hashing", total=sum(part.path.stat().st_size for part in parts))
        files = [
            FileEntry(
                part.path.relative_to(root).as_posix(),
                part.path.stat().st_size,
                _rows(part.path),
                file_hash(part.path, lambda count: bar.advance(task, count)),
            )
            for part in parts
        ]
    for one in far:
        named = parse_name(one.object.name)
        files.append(FileEntry(one.key, one.object.bytes, named.rows if named else 0, one.object.sha256))
    hours = {part.hour for part in parts} | {one.hour for one in far}
    identity = archive_id_path(root)
    return SnapshotManifest(
        version=VERSION,
        name=name,
        archive=identity.read_text(encoding="ascii").strip() if identity.exists() else "",
        made_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        hours=len(hours),
        first_hour=hour_text(min(hours)),
        last_hour=hour_text(max(hours)),
        rows=sum(one.rows for one in files),
        bytes=sum(one.bytes for one in files),
        sha256=content_hash(files),
        files=tuple(files),
    )


def _rows(path: Path) -> int:
    with open_part(path) as part:
        return part.rows


def compare(root: Path, kept: SnapshotManifest, far: Mapping[str, Bucket]) -> dict[str, str]:
    """Return what is wrong with each file that is not as it was; `far`: where those lie that left here."""
    wrong: dict[str, str] = {}
    with progress() as bar:
        task = bar.add_task("hashing", total=kept.bytes)
        for one in kept.files:
            try:
                if file_hash(root / one.path, lambda count: bar.advance(task, count)) != one.sha256:
                    wrong[one.path] = "altered"
            except FileNotFoundError:
                there = far[one.path].measure(one.path) if one.path in far else None
                bar.advance(task, one.bytes)
                if there is None:
                    wrong[one.path] = "gone"
                elif there.sha256 != one.sha256:
                    wrong[one.path] = "altered"
            except OSError as error:
                wrong[one.path] = f"unreadable: {error}"
    return wrong
