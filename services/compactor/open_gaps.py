"""The gaps of an archive that no repair has covered, read again only when files of `gaps` change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.archive.catalog import HOURS_A_DAY, Catalog, StreamHour
from services.archive.gaps import OpenGap, open_gaps
from services.archive.parquet import DamagedFile, UnreadableFile, open_part
from services.archive.paths import HOUR_US, hour_directory
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.shared.logging import LogOnce


class OpenGaps:
    """The rows of `gaps`, read again only for days of that stream that changed."""

    def __init__(self, root: Path, catalog: Catalog, log_once: LogOnce) -> None:
        self._root = root
        self._catalog = catalog
        self._log_once = log_once
        self._tokens: dict[int, int] = {}
        self._rows: dict[int, set[OpenGap]] = {}
        self.open: list[OpenGap] = []
        """What repairs leave of them."""
        self.changes: list[OpenGap] = []
        """Gaps that came or went and are not in the table yet."""
        self.is_complete = True
        """Whether every file could be read."""

    def changed_in(self, day: int) -> bool:
        """Whether a gap came or went that overlaps this day."""
        return any(overlaps(gap, hours_of(day)) for gap in self.changes)

    def update(self, tokens: Mapping[int, int]) -> set[StreamHour]:
        """Read the days that changed; return the hours with a file that cannot be read. Raises OSError."""
        damaged: set[StreamHour] = set()
        if tokens == self._tokens:
            return damaged
        for day in tokens.keys() | self._tokens.keys():
            if tokens.get(day) != self._tokens.get(day):
                self._tokens.pop(day, None)
                rows, in_day = self._read(day)
                if in_day:
                    rows |= self._rows.get(day, set())
                    damaged |= in_day
                else:
                    self._tokens |= {day: tokens[day]} if day in tokens else {}
                self._rows[day] = rows
        self.is_complete = not damaged
        before = self.open
        self.open = open_gaps(row for day in sorted(self._rows) for row in self._rows[day])
        self.changes += set(before) ^ set(self.open)
        return damaged

    def _read(self, day: int) -> tuple[set[OpenGap], set[StreamHour]]:
        """Return the gap rows of a day, and the hours with a file that cannot be read."""
        found: set[OpenGap] = set()
        damaged: set[StreamHour] = set()
        try:
            listed = self._catalog.hours(Stream.GAPS, day)
        except UnreadableFile as error:
            self._log_once("compact.refused", str(error))
            return found, {StreamHour(Stream.GAPS, day * HOURS_A_DAY)}
        for hour, names in listed.items():
            for name in names:
                try:
                    with open_part(hour_directory(self._root, Stream.GAPS, hour) / name, Stream.GAPS) as part:
                        rows = part.read(list(OpenGap._fields)).to_pylist()
                except (DamagedFile, UnreadableFile) as error:
                    damaged.add(StreamHour(Stream.GAPS, hour))
                    self._log_once("compact.refused", str(error))
                else:
                    found |= {OpenGap(**row) for row in rows}
        return found, damaged


def hours_of(day: int) -> range:
    """Return the hours of a day, both counted from 1970."""
    return range(day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY)


def overlaps(gap: OpenGap, hours: range) -> bool:
    """Whether a gap overlaps these hours. One without length does too: the cursor was moved there."""
    return gap.from_us < hours.stop * HOUR_US and gap.to_us >= hours.start * HOUR_US
