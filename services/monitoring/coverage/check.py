"""Hold what is asked for against what is exported, both ways; what is wrong comes as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.monitoring.coverage.exported import OURS, metric_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

NOT_SHOWN: dict[str, str] = {}
"""Metrics of ours that no panel shows, each with the reason why none should."""


def unknown(asked: Mapping[str, AbstractSet[str]], exported: AbstractSet[str]) -> list[str]:
    """Say which metrics are asked for and exported by nobody."""
    return [
        f"nobody exports {name}, asked for by {'; '.join(sorted(places))}"
        for name, places in sorted(asked.items())
        if name not in exported
    ]


def unseen(
    shown: AbstractSet[str], exported: AbstractSet[str], not_shown: Mapping[str, str] = NOT_SHOWN
) -> list[str]:
    """Say which metrics of ours no panel shows, and which exceptions to that are none."""
    ours = {metric_of(name, exported) for name in exported if name.startswith(OURS)}
    seen = {metric_of(name, exported) for name in shown}
    found = [f"no panel shows {name}" for name in sorted(ours - seen - set(not_shown))]
    found += [f"{name} is excepted, but is shown" for name in sorted(seen & set(not_shown))]
    return found + [f"{name} is excepted, but nobody exports it" for name in sorted(set(not_shown) - ours)]
