"""Values as a person reads them, by Grafana's names of units."""

from __future__ import annotations

import math

THOUSANDS = ("", " k", " M", " G", " T")
BYTES = (" B", " KiB", " MiB", " GiB", " TiB")
RATES = (" B/s", " kB/s", " MB/s", " GB/s", " TB/s")
SPANS = ((31_536_000.0, "year"), (86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"))
ENDINGS = {"eps": "/s", "rowsps": "/s", "ops": "/s", "cpm": "/min", "short": "", "none": "", "h": " h"}


def readable(value: float, unit: str) -> str:
    """Return the value with its unit; raises KeyError for a unit that no panel has."""
    if math.isnan(value):
        return "NaN"
    if unit == "percentunit":
        return f"{value * 100:.3g} %" if abs(value) < 1 else f"{value * 100:.0f} %"
    if unit == "s":
        return _span(value)
    if unit == "bytes":
        return _scaled(value, 1024, BYTES)
    if unit == "Bps":
        return _scaled(value, 1000, RATES)
    return _scaled(value, 1000, THOUSANDS) + ENDINGS[unit]


def _span(seconds: float) -> str:
    for size, name in SPANS:
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds * 1000:.2g} ms" if seconds else "0 s"


def _scaled(value: float, base: int, names: tuple[str, ...]) -> str:
    place = 0
    while abs(value) >= base and place < len(names) - 1:
        value /= base
        place += 1
    return f"{value:.3g}{names[place]}"


def size_of(value: float, unit: str) -> float:
    """Return the larger unit that the value is told in, in the unit itself: 60 for two minutes in seconds."""
    if unit == "s":
        return next((size for size, _ in SPANS if abs(value) >= size), 1.0)
    if unit == "bytes":
        return 1024.0 ** max(0, int(math.log(abs(value), 1024))) if value else 1.0
    return 1.0
