"""A coverage calendar of five days with gaps, committed by the writer and evaluated by the compactor."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from services.archive import coverage
from services.archive.checkpoints import write_checkpoint
from services.archive.paths import HOUR_US
from services.compactor.coverage import refresh_coverage
from services.data_writer.commit import ChunkOrigin, commit
from services.data_writer.encoding.encode import encode
from services.shared.cursor import Cursor
from services.shared.event import Gap, GapReason, Stream
from services.tools.query.calendar_picture import drawing
from services.tools.query.coverage import CELL_STYLES, HOURS_A_DAY, calendar, last_days
from testing.events import HostView, Traffic
from testing.harness.truth import stream_of

DAYS = 5
FIRST_US = 1_790_006_400_000_000
"""2026-09-21T16:00Z, the archive's start."""
EVENTS = 12_000
GAPS = (
    (30.0, 30.4, GapReason.CUTOVER),
    (52.5, 55.7, GapReason.CURSOR_TOO_OLD),
    (77.0, 77.2, GapReason.HOST_CHANGED),
)
"""Begin and end in hours after the start, and the reason."""
STYLE = "<style>text{font:11px system-ui,sans-serif;fill:#808a94}</style>"
ROW, LEFT, STEP, COLUMNS = 18, 92, 190, 2


def picture() -> str:
    """Commit the days, compute their coverage, and return the calendar with its key as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "archive"
        (root / ".state/checkpoints").mkdir(parents=True)
        _commit(root)
        passed = Cursor(time_us=FIRST_US + (DAYS * HOURS_A_DAY - 18) * HOUR_US, epoch=1, push=1)
        for stream in Stream:
            write_checkpoint(root, stream, passed.encode())
        refresh_coverage(root, passed.time_us)
        rows = {(row.stream, row.hour): row for row in coverage.read_coverage(root)}
    days = calendar(rows.values(), last_days(rows, DAYS))
    return _with_key(drawing(days), len(days))


def _commit(root: Path) -> None:
    by_stream: dict[Stream, list[bytes]] = defaultdict(list)
    rate = EVENTS / ((DAYS * HOURS_A_DAY - 18) * 3600)
    for frame in Traffic(5, FIRST_US, round(rate, 3), EVENTS).truth(HostView()):
        by_stream[Stream(stream_of(frame))].append(frame)
    host = "wss://jetstream.example.org"
    by_stream[Stream.GAPS] = [
        Gap(FIRST_US + int(begin * HOUR_US), FIRST_US + int(end * HOUR_US), why, host, FIRST_US).encode()
        for begin, end, why in GAPS
    ]
    for stream, elements in by_stream.items():
        commit(root, encode(stream, elements, host), ChunkOrigin(writer_version="1", epoch="1", host=host))


def _with_key(calendar_svg: str, days: int) -> str:
    top = 22 + days * ROW + 10
    key = ""
    for at, look in enumerate(CELL_STYLES.values()):
        left, high = LEFT + (at % COLUMNS) * STEP, top + (at // COLUMNS) * ROW
        key += f'<rect x="{left}" y="{high}" width="10" height="10" rx="2" fill="{look.colour}"/>'
        key += f'<text x="{left + 15}" y="{high + 9}">{look.meaning}</text>'
    old, new = f'height="{22 + days * ROW}"', f'height="{top + len(CELL_STYLES) // COLUMNS * ROW}"'
    assert old in calendar_svg
    return (
        calendar_svg.replace(old, new, 1).replace("><", f">{STYLE}<", 1).replace("</svg>", f"{key}</svg>\n")
    )
