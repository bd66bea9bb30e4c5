"""Figures computed from the samples of a run; points are (seconds since the start, value)."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testing.performance.load.plan import Shape
    from testing.performance.load.sample import Sample

Points = list[tuple[float, float]]

PROCESSES = ("host", "ingester", "redis", "writer", "locust")
FULL = 0.95
"""Share of a core, or of all cores, that counts as exhausted."""
SMOOTH_SECONDS = 5.0
CAUGHT_UP_SECONDS = 1.0


def points(samples: Iterable[Sample], name: str) -> Points:
    """Return a figure over time."""
    return [(sample["at"], sample[name]) for sample in samples if name in sample]


def grown(samples: Iterable[Sample], name: str) -> float:
    """Return the growth of a counter; a restart of its process does not make it negative."""
    return sum(_step(before, after) for (_, before), (_, after) in pairwise(points(samples, name)))


def grown_all(samples: Sequence[Sample], name: str) -> float:
    """Return the growth of a metric summed over its labels."""
    return sum(grown(samples, key) for key in _keys(samples, name))


def rates(samples: Iterable[Sample], name: str, over: float = SMOOTH_SECONDS) -> Points:
    """Return the growth per second of a counter, smoothed over `over` seconds."""
    found, out = points(samples, name), []
    start = 0
    for end in range(1, len(found)):
        while found[end][0] - found[start + 1][0] >= over and start + 1 < end:
            start += 1
        span = found[end][0] - found[start][0]
        out.append((found[end][0], max(0.0, found[end][1] - found[start][1]) / span))
    return out


def quantile(samples: Sequence[Sample], name: str, share: float) -> float:
    """Return the upper bound of the histogram bucket of this quantile; 0 without observations."""
    counts = {
        float(key.partition('le="')[2].partition('"')[0]): grown(samples, key)
        for key in _keys(samples, f"{name}_bucket")
    }
    total = counts.get(float("inf"), 0.0)
    if not total:
        return 0.0
    return next(bound for bound, count in sorted(counts.items()) if count >= share * total)


def share_of_core(samples: Sequence[Sample], process: str) -> float:
    """Return the mean share of a core that a process used."""
    found = points(samples, f"cpu_total.{process}")
    seconds = found[-1][0] - found[0][0] if found else 0.0
    return grown(samples, f"cpu_total.{process}") / seconds if seconds else 0.0


def peak(samples: Iterable[Sample], name: str) -> float:
    """Return the highest value of a figure; 0 if there is none."""
    return max((value for _, value in points(samples, name)), default=0.0)


def behind(samples: Iterable[Sample]) -> Points:
    """Return the number of existing events that are not in Redis yet, over time."""
    return [
        (sample["at"], max(0.0, sample["tip"] - sample["pushed"]))
        for sample in samples
        if "tip" in sample and "pushed" in sample
    ]


def second_half(found: Points) -> Points:
    """Return the points after the middle of the time, after warming up."""
    if not found:
        return []
    middle = (found[0][0] + found[-1][0]) / 2
    return [point for point in found if point[0] >= middle]


def slope(found: Points) -> float:
    """Return the slope per second of the regression line; 0 for fewer than three points."""
    if len(found) < 3:
        return 0.0
    x, y = fmean(at for at, _ in found), fmean(value for _, value in found)
    spread = sum((at - x) ** 2 for at, _ in found)
    return sum((at - x) * (value - y) for at, value in found) / spread if spread else 0.0


def rise(found: Points) -> float:
    """Return the rise of the regression line over the second half of the points."""
    half = second_half(found)
    return slope(half) * (half[-1][0] - half[0][0]) if half else 0.0


def recovery(samples: Sequence[Sample], normal: Sequence[Sample], since: float, rate: float) -> float:
    """Return the seconds from `since` until the pipeline is as in the `normal` samples; infinite if never.

    That is: not more events in Redis than then, and less than a second of `rate` behind.
    """
    most = max(peak(normal, "waiting"), rate)
    for sample in samples:
        late = sample.get("tip", float("inf")) - sample.get("pushed", 0.0)
        if sample["at"] >= since and late <= rate * CAUGHT_UP_SECONDS and sample["waiting"] <= most:
            return sample["at"] - since
    return float("inf")


def knee(samples: Sequence[Sample], shape: Shape) -> float:
    """Return the highest rate of a ramp that the pipeline kept up with; 0 if none."""
    late, best = behind(samples), 0.0
    for number, stage in enumerate(shape.stages):
        begin = shape.begins(number)
        rate = stage.users * shape.share
        last = [value for at, value in late if begin + 0.7 * stage.seconds <= at < begin + stage.seconds]
        if not last or fmean(last) > rate * CAUGHT_UP_SECONDS:
            return best
        best = rate
    return best


def bottleneck(samples: Sequence[Sample], cores: int) -> str:
    """Return in words what was exhausted first: a process' core, or the machine."""
    busy = [(at, name) for name in PROCESSES for at, used in _cpu(samples, name) if used >= FULL]
    whole = [at for at, used in points(samples, "machine") if used >= FULL * cores]
    first = min(busy, default=(float("inf"), ""))
    most = max(PROCESSES, key=lambda name: share_of_core(samples, name))
    used = f"{most} used most: {share_of_core(samples, most):.0%} of a core on average"
    whole_share = len(whole) / max(1, len(samples))
    if first[1]:
        kind = "the generator" if first[1] in ("host", "locust") else "the pipeline"
        return (
            f"{first[1]} ({kind}) was the first to use {FULL:.0%} of a core, at second {first[0]:.0f}; "
            f"the machine was full {whole_share:.0%} of the time; {used}"
        )
    if whole_share > 0.1:
        return f"the machine: all {cores} cores were busy {whole_share:.0%} of the time; {used}"
    return f"none: nothing used {FULL:.0%} of a core; {used}"


def _cpu(samples: Sequence[Sample], process: str) -> Points:
    return [point for point in rates(samples, f"cpu_total.{process}") if point[0] >= SMOOTH_SECONDS]


def _step(before: float, after: float) -> float:
    return after - before if after >= before else after


def _keys(samples: Iterable[Sample], name: str) -> list[str]:
    return sorted({key for sample in samples for key in sample if key.partition("{")[0] == name})
