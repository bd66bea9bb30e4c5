"""An archive whose compactor applies deletions, and events that delete."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import duckdb

from services.archive.footer import accounted, total
from services.archive.notes import read_rewrites
from services.archive.parquet import read_footer
from services.archive.paths import HOUR_US
from services.archive.swap import swap_prepared
from services.compactor.deletions.apply import DeletionReport, Deletions
from services.compactor.settings import Policy
from services.compactor.tests.archives import BORDER_US, compact, hour_compactor, settings_of
from services.shared.event import Stream
from services.shared.lifecycle import Stopping
from testing.events.names import tid

if TYPE_CHECKING:
    from pathlib import Path

    from services.compactor.hour_compactor import HourCompactor

FOREVER = 2**40
ANN, BOB = "did:plc:ann", "did:plc:bob"
LIKE = "app.bsky.feed.like"


def commit(did: str, rkey: str, at_us: int, operation: str = "create") -> tuple[str, bytes]:
    """Return a like, or its deletion, as a host sends it at this time."""
    body: dict[str, Any] = {"rev": tid(at_us, 1), "operation": operation, "collection": LIKE, "rkey": rkey}
    if operation != "delete":
        subject = {"uri": f"at://did:plc:other/app.bsky.feed.post/{rkey}", "cid": "bafy"}
        body["record"] = {"$type": LIKE, "createdAt": "2026-09-21T14:00:00.000Z", "subject": subject}
        body["cid"] = "bafyrei"
    return "likes", json.dumps({"did": did, "time_us": at_us, "kind": "commit", "commit": body}).encode()


def account(did: str, at_us: int, status: str = "", seq: int = 1) -> tuple[str, bytes]:
    """Return an account event; one without a status is active."""
    body: dict[str, Any] = {"active": not status, "did": did, "seq": seq, "time": "2026-09-21T14:00:00.000Z"}
    body |= {"status": status} if status else {}
    return "accounts", json.dumps({"did": did, "time_us": at_us, "kind": "account", "account": body}).encode()


def at(hours: float) -> int:
    """Return a time so many hours after the border."""
    return BORDER_US + int(hours * HOUR_US)


class Archive:
    """An archive whose compactor applies deletions, a pass a day, when asked."""

    def __init__(self, root: Path, policy: Policy = Policy.ALL) -> None:
        self.root = root
        self.settings = settings_of(root, compact_apply_deletions=policy)
        self.hours: HourCompactor = hour_compactor(root)
        self.now_us = at(100)
        self.deletions = self._made()

    def _made(self) -> Deletions:
        return Deletions(self.settings, self.hours, Stopping(), lambda: None)

    def restart(self) -> None:
        """Forget the pass under way, as after a kill."""
        self.deletions = self._made()

    def swap(self) -> None:
        """Swap as a writer without claims does."""
        for stream in Stream:
            for _ in swap_prepared(self.root, stream):
                pass

    def day(self) -> Counter[str]:
        """Let a day pass and run its pass; return the removed rows by policy."""
        self.now_us += 24 * HOUR_US
        compact(self.root, self.hours)
        removed: Counter[str] = Counter()
        while True:
            applied = self.run()
            removed += applied.rows
            self.swap()
            if not applied.hours:
                return removed

    def run(self) -> DeletionReport:
        """Run the pass for one time slice."""
        return self.deletions.run(FOREVER, self.now_us)

    def rows(self, stream: str = "likes", columns: str = "did, rkey, operation") -> list[tuple[Any, ...]]:
        """Return the rows of a stream, in order."""
        files = [str(path) for path in self.root.glob(f"raw/{stream}/year=*/**/*.parquet")]
        query = f"SELECT {columns} FROM read_parquet(?, hive_partitioning = false) ORDER BY ALL"  # noqa: S608 - ours
        return duckdb.execute(query, [files]).fetchall()

    def accounted(self) -> int:
        """Return what the ledger counts: rows that are here, and those that were removed on purpose."""
        paths = self.root.glob("raw/*/year=*/**/*.parquet")
        counts = total(*(accounted(read_footer(path)) for path in paths))
        return sum(sum(streams.values()) for streams in counts.values())

    def reported(self) -> Counter[str]:
        """Return the rows of the report, by stream and policy."""
        found: Counter[str] = Counter()
        for path in self.root.glob(".state/rewritten/*/*.json"):
            for one in read_rewrites(path):
                for policy, rows in one.report["dropped"].items():
                    found[f"{path.parent.name} {policy}"] += rows
        return +found
