"""`archive pull`: copies parts of another archive here, and goes on where an earlier run ended."""

from __future__ import annotations

from typing import Annotated

import typer

from services.shared.errors import BadInput
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.tools.console import FINE, FOUND, console, size
from services.tools.copy.pull import (
    check_target,
    copy_coverage,
    copy_parts,
    parts_of_folder,
    parts_of_snapshot,
    remove_replaced,
    with_bucket,
    without_compacted,
)
from services.tools.copy.sources import Folder, source_of
from services.tools.query.parts import ALL_HOURS, read_hours
from services.tools.settings import settings


def pull(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|URL",
            help="The other archive: a folder, or the URL of a web server that serves it.",
        ),
    ],
    *,
    hours: Annotated[
        str, typer.Option(help="Copy these hours only, e.g. 2026-07-04 or 2026-07-01..2026-07-04.")
    ] = "",
    snapshot: Annotated[
        str, typer.Option(help="Copy the files of this snapshot of the other archive; required with a URL.")
    ] = "",
    with_open: Annotated[
        bool, typer.Option("--open", help="Also copy hours that are not closed yet; pull them again later.")
    ] = False,
) -> None:
    """Copy files of another archive to ARCHIVE_ROOT. A second run copies what is new.

    Exit code 1 if files of the source are gone.
    """
    given = settings()
    start_logs("archive", given.archive_log_level)
    root, other = given.root, source_of(source)
    check_target(root, other)
    chosen = read_hours(hours) if hours else ALL_HOURS
    both_tiers, remote = with_bucket(given, other, chosen)
    if snapshot:
        offered = parts_of_snapshot(root, other, snapshot, chosen)
    elif isinstance(other, Folder):
        offered = parts_of_folder(root, other, chosen, remote, with_open=with_open)
    else:
        raise BadInput(
            "a URL needs --snapshot NAME; make one in the other archive with `archive snapshot NAME`"
        )
    wanted = without_compacted(root, offered)
    with stopping_on_signals() as stopping:
        gone = copy_parts(both_tiers, root, wanted, stopping)
        if stopping:
            raise BadInput("stopped; run the same command again to go on")
    removed = remove_replaced(root, wanted)
    copy_coverage(other, root, wanted)
    total = sum(one.bytes for one in wanted)
    console().print(
        f"{len(wanted) - len(gone):,} files, {size(total)}, are copied and checked; {removed} were replaced"
    )
    if len(wanted) < len(offered):
        console().print(
            f"{len(offered) - len(wanted):,} files are not copied again, as this copy has compacted them; "
            "run: archive compact --close-all"
        )
    for path in gone:
        console().print(
            f"not in the source any more: {path}; it was compacted or lost: run this again", markup=False
        )
    raise typer.Exit(FOUND if gone else FINE)
