"""Path 3: end to end, the generator included. The most events a second at which all buffers stay flat."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from testing.performance.bench.figures import spread
from testing.performance.bench.outcome import Bar, Bars, Goal, Outcome
from testing.performance.bench.tries import BEHIND_SECONDS, INTERVAL_SECONDS, Try, attempt, render
from testing.performance.load.figures import bottleneck, peak, share_of_core

if TYPE_CHECKING:
    from collections.abc import Callable

    from testing.performance.bench.course import Course

HEAD = ("process", "CPU s a million events", "share of a core", "peak RSS MB")
PROCESSES = {
    "host": "generator (rendered beforehand)",
    "ingester": "ingester",
    "redis": "Redis",
    "writer": "writer",
}
LEAST_SECONDS, MOST_SECONDS = 6.0, 20.0
LEAST_RATE, FIRST_RATE, MOST_RATE = 500.0, 5_000.0, 80_000.0
EVENTS_A_SECOND = 15_000
"""A try of `--events` events lasts one second for so many, within its bounds."""
BISECTIONS = 3
WANTED = 20_000.0
NOTE = (
    f"A try holds when, in its second half, the ingester was less than {BEHIND_SECONDS:g} s of events "
    f"behind, and no more waited in Redis than two of the writer's intervals bring ({INTERVAL_SECONDS} s "
    "each here). Each begins with a new archive and a new Redis that syncs its log at every write. "
    "Events are generated ones, whatever the source: a file would have too few."
)


def run(course: Course) -> Outcome:
    """Search the rate, then try it again as often as asked."""
    seconds = min(MOST_SECONDS, max(LEAST_SECONDS, course.frames.events / EVENTS_A_SECOND))
    first = min(FIRST_RATE, max(LEAST_RATE, course.frames.events / 60))
    frames, rendered = course.folder / "paced.jsonl", 0
    tries: list[Try] = []

    def at(rate: float) -> bool:
        nonlocal rendered
        if int(rate * seconds) > rendered:
            render(frames, course.seed, rendered, int(rate * seconds), course.cores)
            rendered = int(rate * seconds)
        place = course.folder / f"try{len(tries)}"
        place.mkdir()
        tries.append(attempt(place, frames, rate, seconds))
        shutil.rmtree(place)
        word = "held" if tries[-1].held else "did not hold"
        course.say(f"{rate:,.0f} events/s for {seconds:.0f} s {word}; pushed {tries[-1].pushed_rate:,.0f}/s")
        return tries[-1].held

    best = search(lambda rate: not (tries and course.is_over) and at(rate), first)
    for _ in range(course.repeats - 1):
        if best and not course.is_over:
            at(best)
    return _outcome(tries, best, course.cores)


def search(holds: Callable[[float], bool], first: float) -> float:
    """Return about the highest rate that holds, 0 for none: doubled until one does not, then between."""
    low, high = 0.0, first
    while high <= MOST_RATE and holds(high):
        low, high = high, high * 2
    if high > MOST_RATE:
        return low
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _outcome(tries: list[Try], best: float, cores: int) -> Outcome:
    outcome = Outcome(3, "End to end", HEAD, notes=[NOTE])
    told = ", ".join(f"{one.rate:,.0f}/s {'held' if one.held else 'did not hold'}" for one in tries)
    outcome.notes.append(f"Tried in this order: {told}.")
    again = [one for one in tries if one.rate == best]
    at_best = [one for one in again if one.held]
    outcome.notes.append(f"At {best:,.0f}/s it held {len(at_best)} of {len(again)} times.")
    sustained = spread([one.pushed_rate for one in at_best] or [0.0])
    outcome.goals.append(
        Goal(f"events/s sustained on {cores} cores, generator included", sustained, WANTED, "{:,.0f}")
    )
    shown = at_best or tries[-1:]
    cpu = {name: spread(one.cpu_a_million(name) for one in shown) for name in PROCESSES}
    for name, what in PROCESSES.items():
        share = spread(share_of_core(one.samples, name) for one in shown)
        memory = spread(peak(one.samples, f"rss.{name}") / 1e6 for one in shown)
        row = (what, cpu[name].told("{:.1f}"), share.told("{:.0%}"), memory.told("{:,.0f}"))
        outcome.rows.append(row)
    last = next((one for one in reversed(tries) if not one.held), tries[-1])
    outcome.notes.append(f"At {last.rate:,.0f}/s: {bottleneck(last.samples, cores)}.")
    bars = [Bar(what, cpu[name]) for name, what in PROCESSES.items()]
    outcome.pictures.append(Bars("End to end", "CPU seconds a million events", bars))
    return outcome
