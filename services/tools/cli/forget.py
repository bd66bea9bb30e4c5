"""`archive forget`: reports where rows of an account are; with --yes it erases them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from services.archive.locks import exclusive, is_owned
from services.archive.paths import hour_text
from services.shared.errors import BrokenInvariant
from services.shared.event import Stream
from services.shared.lifecycle import stopping_on_signals
from services.shared.logging import start_logs
from services.shared.retry import until_done
from services.tools.console import FINE, FOUND, STOPPED, console, print_json, table
from services.tools.forget.run import ErasureReport, Forget
from services.tools.forget.search import conditions, in_datasets, in_replaced
from services.tools.offload.bucket import Bucket
from services.tools.offload.index import indexed
from services.tools.redis_session import RedisSession
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.shared.lifecycle import Stopping
    from services.tools.forget.run import Hours
    from services.tools.settings import ToolsSettings

REMAINS = (
    "snapshots, backups and exports that you made, and copies that others pulled",
    "events of the account from now on, which are archived again",
)


def forget(
    did: Annotated[str, typer.Argument(metavar="DID", help="The account, as did:plc:….")],
    *,
    mentions: Annotated[
        bool,
        typer.Option("--mentions", help="Also erase rows of others that name it: replies, likes, follows."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without this, only report.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object without the account.")
    ] = False,
) -> None:
    """Erase an account from closed hours, replaced files and the bucket. The writer must run.

    Exit code 1 if rows are left in hours that are not closed yet.
    """
    given = settings()
    wanted = conditions(did, mentions=mentions)
    start_logs("forget", "warning")
    if not yes:
        raise typer.Exit(_preview(given, wanted))
    bucket = _bucket(given)
    if not all(is_owned(given.root, stream) for stream in wanted):
        raise BrokenInvariant(
            "no writer owns the streams; start it: it commits buffered events and swaps in rewritten hours"
        )
    with stopping_on_signals() as stopping:
        erased = _erase_exclusively(given, wanted, bucket, stopping)
    if as_json:
        print_json(
            {
                "erased": _by_hour(erased.rows),
                "bucket": _by_hour(erased.objects),
                "replaced": erased.replaced,
                "open": _by_hour(erased.open),
                "remains": REMAINS,
            }
        )
    else:
        _print(erased)
    if stopping:
        Console(stderr=True).print("Stopped; run the same command again to go on from here.")
        raise typer.Exit(STOPPED)
    raise typer.Exit(FOUND if erased.open else FINE)


def _erase_exclusively(
    given: ToolsSettings, wanted: Mapping[Stream, str], bucket: Bucket | None, stopping: Stopping
) -> ErasureReport:
    stderr = Console(stderr=True)
    with contextlib.ExitStack() as held:
        with stderr.status("waiting until the compactor has finished its current hour"):
            is_held = held.enter_context(exclusive(given.root, stopping))
        return _erase(given, wanted, bucket, stopping) if is_held else ErasureReport()


def _erase(
    given: ToolsSettings, wanted: Mapping[Stream, str], bucket: Bucket | None, stopping: Stopping
) -> ErasureReport:
    stderr = Console(stderr=True)
    session = RedisSession(given, stopping)
    until_done(session.open, stopping, lambda error: stderr.print(str(error), markup=False))
    work = Forget(session, wanted, given.tools_memory_mb, stopping)
    with stderr.status("…") as status:
        erased = work.run(bucket, status.update)
    session.close()
    return erased


def _bucket(given: ToolsSettings) -> Bucket | None:
    return Bucket(given) if _is_offloaded(given) else None


def _preview(given: ToolsSettings, wanted: Mapping[Stream, str]) -> int:
    found = in_datasets(given.root, wanted, given.tools_memory_mb)
    replaced = in_replaced(given.root, wanted, given.tools_memory_mb)
    rows = [(one.stream, hour_text(one.hour), one.rows) for one in found]
    console().print(table(("stream", "hour", "rows"), rows, "in streams' files", right=("rows",)))
    console().print(f"{sum(replaced.values()):,} rows in {len(replaced):,} folders of replaced files")
    if _is_offloaded(given):
        console().print("the bucket is searched only with --yes")
    console().print("Nothing was changed. Add --yes to erase these rows; it cannot be undone.")
    return FOUND if rows or replaced else FINE


def _is_offloaded(given: ToolsSettings) -> bool:
    return any(True for _ in indexed(given.root, Stream))


def _print(erased: ErasureReport) -> None:
    out = console()
    for title, hours in (
        ("erased from streams' files", erased.rows),
        ("erased in the bucket", erased.objects),
        ("left in hours that are not closed yet; run this again when they are", erased.open),
    ):
        if hours:
            rows = [(stream, hour_text(hour), count) for (stream, hour), count in sorted(hours.items())]
            out.print(table(("stream", "hour", "rows"), rows, title, right=("rows",)))
    out.print(f"{sum(erased.rows.values()):,} rows are gone; {erased.replaced:,} more were in replaced files")
    for one in REMAINS:
        out.print(f"not reached: {one}")


def _by_hour(hours: Hours) -> list[dict[str, object]]:
    return [
        {"stream": stream, "hour": hour_text(hour), "rows": count}
        for (stream, hour), count in sorted(hours.items())
    ]
