"""The demo profile's Jetstream host: sends generated events, and marks the archive as a demo's.

Both daemons read the mark, `.state/demo` in the archive, when they start: it names this host and the time of
its first event. It stays in the archive's volume, so that generated and real events never mix.
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
# The events of this archive are generated. Its daemons read this file as a shell does when they start.
export INGEST_HOSTS={host}
export ARCHIVE_START={first_us}
export WRITER_INTERVAL="${{WRITER_INTERVAL:-5}}"
# Options with which the host continues after a restart: {words}
"""


class DemoSettings(Settings):
    """Every DEMO_* name."""

    demo_rate: float = Field(default=100.0, gt=0, le=50_000, description="Generated events per second.")
    demo_events: int | None = Field(
        default=None, ge=1, description="Stop after this many events; default: never."
    )
    demo_seed: int = Field(default=1, ge=0, description="Seed of the generated events.")


def mark(root: Path, settings: DemoSettings, now: float) -> list[str]:
    """Return the host's options as stored in the archive's mark, which the first start writes.

    Raises SettingsError for an archive of real events.
    """
    path = root / MARK
    if not path.exists():
        if (root / START).exists():
            raise SettingsError(
                "these volumes hold an archive of real events; the demo would add generated ones; "
                "start the demo with volumes of its own: docker compose -p demo --profile demo up"
            )
        words = [f"--started={now:.6f}", f"--rate={settings.demo_rate}", f"--seed={settings.demo_seed}"]
        if settings.demo_events is not None:
            words.append(f"--events={settings.demo_events}")
        text = MARKED.format(host=HOST, first_us=int(now * 1_000_000) - 1000, words=" ".join(words))
        path.parent.mkdir(exist_ok=True)
        staged = path.with_suffix(".new")
        staged.write_text(text, encoding="utf-8")
        staged.replace(path)
    return words_of(root)


def words_of(root: Path) -> list[str]:
    """Return the host's options from the mark in an archive."""
    return (root / MARK).read_text(encoding="utf-8").splitlines()[-1].rpartition(": ")[2].split()


def main() -> int:
    """Run the host until it is stopped; returns 2 for invalid settings."""
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
