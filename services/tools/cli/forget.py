"""`archive forget`: says what of an account lies where; with --yes it erases it, and says what remains."""

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
from services.tools.console import FINE, FOUND, console, say_json, table
from services.tools.forget.run import Erased, Forget
from services.tools.forget.search import conditions, in_datasets, in_trash
from services.tools.offload.bucket import Bucket
from services.tools.offload.index import indexed
from services.tools.redis_session import Buffers
from services.tools.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.shared.lifecycle import Stopping
    from services.tools.forget.run import Hours
    from services.tools.settings import ToolsSettings

STOPPED = 130
REMAINS = (
    "snapshots, backups and exports that you made, and copies that others pulled",
    "events of the account that come from now on: they are archived again",
)


def forget(
    did: Annotated[str, typer.Argument(metavar="DID", help="The account, as did:plc:….")],
    *,
    mentions: Annotated[
        bool, typer.Option("--mentions", help="Also rows of others that name it: replies, likes, follows.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is only told.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object, and no name in it.")] = False,
) -> None:
    """Erase an account from hours, trash and bucket; the writer must run, the compactor may."""
    given = settings()
    wanted = conditions(did, mentions=mentions)
    start_logs("forget", "warning")
    if not yes:
        raise typer.Exit(_look(given, wanted))
    bucket = _bucket(given)
    if not all(is_owned(given.root, stream) for stream in wanted):
        raise BrokenInvariant(
            "no writer owns the streams; start it: it commits what is buffered and swaps what is rewritten"
        )
    with stopping_on_signals() as stopping:
        erased = _in_turn(given, wanted, bucket, stopping)
    if as_json:
        say_json(
            {
                "erased": _by_hour(erased.rows),
                "bucket": _by_hour(erased.objects),
                "trash": erased.trash,
                "open": _by_hour(erased.open),
                "remains": REMAINS,
            }
        )
    else:
        _tell(erased)
    if stopping:
        Console(stderr=True).print("Stopped; run the same command again to go on from here.")
        raise typer.Exit(STOPPED)
    raise typer.Exit(FOUND if erased.open else FINE)


def _in_turn(
    given: ToolsSettings, wanted: Mapping[Stream, str], bucket: Bucket | None, stopping: Stopping
) -> Erased:
    talk = Console(stderr=True)
    with contextlib.ExitStack() as held:
        with talk.status("waiting until the compactor has done the hour in hand"):
            is_exclusive = held.enter_context(exclusive(given.root, stopping))
        return _erase(given, wanted, bucket, stopping) if is_exclusive else Erased()


def _erase(
    given: ToolsSettings, wanted: Mapping[Stream, str], bucket: Bucket | None, stopping: Stopping
) -> Erased:
    talk = Console(stderr=True)
    buffers = Buffers(given, stopping)
    until_done(buffers.open, stopping, lambda error: talk.print(str(error), markup=False))
    work = Forget(buffers, wanted, given.tools_memory_mb, stopping)
    with talk.status("…") as status:
        erased = work.run(bucket, status.update)
    buffers.close()
    return erased


def _bucket(given: ToolsSettings) -> Bucket | None:
    return Bucket(given) if _is_offloaded(given) else None


def _look(given: ToolsSettings, wanted: Mapping[Stream, str]) -> int:
    found = in_datasets(given.root, wanted, given.tools_memory_mb)
    trash = in_trash(given.root, wanted, given.tools_memory_mb)
    rows = [(one.stream, hour_text(one.hour), one.rows) for one in found]
    console().print(table(("stream", "hour", "rows"), rows, "in the datasets", right=("rows",)))
    console().print(f"{sum(trash.values()):,} rows in {len(trash):,} folders of the trash")
    if _is_offloaded(given):
        console().print("the bucket is searched when it is done")
    console().print("Nothing was changed. Add --yes to erase them; it cannot be undone.")
    return FOUND if rows or trash else FINE


def _is_offloaded(given: ToolsSettings) -> bool:
    return any(True for _ in indexed(given.root, Stream))


def _tell(erased: Erased) -> None:
    out = console()
    for title, hours in (
        ("erased from the datasets", erased.rows),
        ("erased in the bucket", erased.objects),
        ("still there: hours that are not closed yet; run this again when they are", erased.open),
    ):
        if hours:
            rows = [(stream, hour_text(hour), count) for (stream, hour), count in sorted(hours.items())]
            out.print(table(("stream", "hour", "rows"), rows, title, right=("rows",)))
    out.print(f"{sum(erased.rows.values()):,} rows are gone; {erased.trash:,} more went with the trash")
    for one in REMAINS:
        out.print(f"not reached: {one}")


def _by_hour(hours: Hours) -> list[dict[str, object]]:
    return [
        {"stream": stream, "hour": hour_text(hour), "rows": count}
        for (stream, hour), count in sorted(hours.items())
    ]
