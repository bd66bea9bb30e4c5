"""The demo profile's Jetstream host: invents events, and marks the archive as a demo's.

Both daemons read the mark, `.state/demo` in the archive, when they start. It names this host and the time of
its first event. It stays with the archive's volume, so that made-up and real events never mix.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from pydantic import Field

from services.shared.settings import Settings, SettingsError, load
from testing.fakes.jetstream.__main__ import arguments, options, run

if TYPE_CHECKING:
    from pathlib import Path

PORT = 6008
HOST = f"ws://jetstream.demo:{PORT}"
MARK = ".state/demo"
START = ".state/id"
MARKED = """\
# The events of this archive are made up. Its daemons read this file when they start, as a shell would.
export INGEST_HOSTS={host}
export ARCHIVE_START={first_us}
export WRITER_INTERVAL="${{WRITER_INTERVAL:-5}}"
# The host goes on from here after a restart: {words}
"""


class DemoSettings(Settings):
    """Every DEMO_* name."""

    demo_rate: float = Field(default=100.0, gt=0, le=50_000, description="Made-up events a second.")
    demo_events: int | None = Field(default=None, ge=1, description="Silence after so many; default: never.")
    demo_seed: int = Field(default=1, ge=0, description="Another seed, other events.")


def mark(root: Path, settings: DemoSettings, now: float) -> list[str]:
    """Return the words that describe this archive's host, made when it starts and the same ever after.

    Raises SettingsError for an archive that was not started in the demo.
    """
    path = root / MARK
    if not path.exists():
        if (root / START).exists():
            raise SettingsError(
                "these volumes hold an archive of real events, and the demo would mix made-up ones in; "
                "give the demo volumes of its own: docker compose -p demo --profile demo up"
            )
        words = [f"--started={now:.6f}", f"--rate={settings.demo_rate}", f"--seed={settings.demo_seed}"]
        if settings.demo_events is not None:
            words.append(f"--events={settings.demo_events}")
        told = MARKED.format(host=HOST, first_us=int(now * 1_000_000) - 1000, words=" ".join(words))
        path.parent.mkdir(exist_ok=True)
        staged = path.with_suffix(".new")
        staged.write_text(told, encoding="utf-8")
        staged.replace(path)
    return words_of(root)


def words_of(root: Path) -> list[str]:
    """Return the words that the mark in an archive describes its host with."""
    return (root / MARK).read_text(encoding="utf-8").splitlines()[-1].rpartition(": ")[2].split()


def main() -> int:
    """Listen until stopped; the exit code is 2 for unusable settings."""
    try:
        settings = load(DemoSettings, "DEMO_")
        words = mark(settings.archive_root, settings, time.time())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    asyncio.run(run(options(arguments(["--host=0.0.0.0", f"--port={PORT}", *words]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
