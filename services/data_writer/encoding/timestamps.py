"""Parse the times that clients write, and find those that a timestamp column does not reproduce exactly.

Nobody checks `createdAt` on the wire: it may lack a zone or a fraction, lie in the year 1, or be no time at
all. A readable time goes to the column; the caller keeps the text too if the column would render another.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSTANT = pa.timestamp("ms", tz="UTC")

# The one form that the column reproduces. Years from 1000: `parse` reads the few before.
_CANONICAL = (
    r"^[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$"
)
_READABLE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


def read_column(texts: Sequence[str | None]) -> tuple[pa.Array, list[int]]:
    """Return the texts as timestamp[ms, UTC], and the indices of those the column renders differently."""
    column = pa.array(texts, pa.string())
    canonical = pc.match_substring_regex(column, _CANONICAL)
    unusual = pc.indices_nonzero(pc.invert(canonical)).to_pylist()
    try:
        instants = pc.if_else(canonical, column, None).cast(_INSTANT)
    except pa.ArrowInvalid:  # a 30th of February among them
        unusual = [index for index, text in enumerate(texts) if text is not None]
        instants = pa.nulls(len(texts), _INSTANT)
    if not unusual:
        return instants, []
    parsed = {index: parse(str(texts[index])) for index in unusual}
    inexact = [index for index, time in parsed.items() if time is None or render(time) != texts[index]]
    mask = pa.array([index in parsed for index in range(len(texts))])
    return pc.replace_with_mask(instants, mask, pa.array(parsed.values(), _INSTANT)), inexact


def parse(text: str) -> datetime | None:
    """Return the time of an RFC 3339 text, truncated to milliseconds; None if it is not one.

    A text without a zone counts as UTC.
    """
    match = _READABLE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    micro = int((fraction or "")[:3].ljust(3, "0")) * 1000
    zone = UTC
    try:
        if sign:
            offset = timedelta(hours=int(offset_hour), minutes=int(offset_minute))
            zone = timezone(-offset if sign == "-" else offset)
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micro, tzinfo=zone
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):  # year 0, second 60, an offset to before the year 1
        return None


def render(instant: datetime) -> str:
    """Return the text that a reader of the archive makes of the column: UTC, milliseconds, `Z`."""
    return f"{instant.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
