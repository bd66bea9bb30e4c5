"""The pictures of a report, as SVG to stand inside its HTML."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure

from testing.performance.load import figures
from testing.performance.load.figures import PROCESSES, Points, points, rates

if TYPE_CHECKING:
    from testing.performance.load.result import Result
    from testing.performance.load.sample import Sample

MB = 1e6
WIDE, HIGH = 9.0, 2.6
MOST_POINTS = 1500


def plots(result: Result) -> dict[str, str]:
    """Return every picture by its title."""
    samples = result.samples
    rate = {"offered": rates(samples, "tip"), "pushed": rates(samples, "pushed")}
    rate["committed"] = _committed(samples)
    late = figures.behind(samples)
    lag = {"host to Redis, events behind / offered rate": _seconds(late, rate["offered"])}
    push = {f"p{share:.0%}".rstrip("%"): _latency(samples, share) for share in (0.5, 0.99)}
    memory = {name: [(at, value / MB) for at, value in points(samples, f"rss.{name}")] for name in PROCESSES}
    used = {"used by Redis": [(at, value / MB) for at, value in points(samples, "redis.used")]}
    written = {name: _in_mb(rates(samples, f"written_total.{name}")) for name in ("redis", "writer")}
    cpu = {name: rates(samples, f"cpu_total.{name}") for name in PROCESSES}
    commands = {"commands": rates(samples, "redis.commands_total")}
    return {
        "Events a second": _plot(rate, "events/s", result),
        "Lag": _plot(lag, "seconds", result),
        "From receipt to Redis' acknowledgement (upper bounds)": _plot(push, "seconds", result),
        "Waiting in Redis": _plot({"buffers and claims": points(samples, "waiting")}, "events", result),
        "Cores used": _plot(cpu | {"all of the machine": points(samples, "machine")}, "cores", result),
        "Resident memory": _plot(memory, "MB", result),
        "Redis' memory": _plot(used, "MB", result),
        "Written to disk": _plot(written, "MB/s", result),
        "Commands that Redis answered": _plot(commands, "commands/s", result),
    }


def _plot(lines: dict[str, Points], unit: str, result: Result) -> str:
    # Text as text, not as outlines: a tenth of the size, and it can be searched.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "load"}):
        figure = Figure(figsize=(WIDE, HIGH), layout="constrained")
        axes = figure.add_subplot()
        for name, found in lines.items():
            some = found[:: 1 + len(found) // MOST_POINTS]
            axes.plot([at for at, _ in some], [value for _, value in some], label=name, linewidth=1.2)
        axes.axvspan(*result.loaded, color="0.94", zorder=0)
        axes.set_xlabel("seconds; grey: under load")
        axes.set_ylabel(unit)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper left", fontsize="small", framealpha=0.8)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue().partition("<svg")[1] + drawn.getvalue().partition("<svg")[2]


def _committed(samples: list[Sample]) -> Points:
    """Return the rate over two claims' time: commits come in batches."""
    done = [
        {"at": sample["at"], "committed": sample["pushed"] - sample["waiting"]}
        for sample in samples
        if "pushed" in sample and "waiting" in sample
    ]
    return rates(done, "committed", 20.0)


def _seconds(late: Points, offered: Points) -> Points:
    at_rate = dict(offered)
    return [(at, events / max(1.0, at_rate[at])) for at, events in late if at in at_rate]


def _latency(samples: list[Sample], share: float) -> Points:
    windows = [samples[at : at + 6] for at in range(0, max(0, len(samples) - 5), 5)]
    return [
        (window[-1]["at"], figures.quantile(window, "archive_buffer_latency_seconds", share))
        for window in windows
    ]


def _in_mb(found: Points) -> Points:
    return [(at, value / MB) for at, value in found]
