"""What a run prints, and its report: one HTML file with plots, and a line of Markdown for README's table."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from matplotlib import rc_context
from matplotlib.figure import Figure

from testing.performance.load import figures
from testing.performance.load.figures import (
    PROCESSES,
    Points,
    behind,
    bottleneck,
    grown,
    peak,
    points,
    rates,
    share_of_core,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

    from testing.performance.load.result import Result
    from testing.performance.load.sample import Sample
    from testing.performance.load.verdict import LimitResult


TEMPLATE = Path(__file__).with_name("report.html")
OURS = ("ingester", "writer", "redis")
HEAD = (
    "| shape | target | events | offered/s at most | pushed/s | p99 to Redis, s | to Parquet, p99 s "
    "| CPU ingester, writer, Redis | RSS MB | Redis at most | lost, doubled | verdict |\n"
    "|---|---|--:|--:|--:|--:|--:|---|---|--:|--:|---|\n"
)
MB = 1e6
WIDE, HIGH = 9.0, 2.6
MOST_POINTS = 1500
PROGRESS_SECONDS = 5.0


def write_report(result: Result, findings: Sequence[LimitResult], folder: Path) -> Path:
    """Write report.html and report.md; returns the path of the HTML file."""
    broken = [finding for finding in findings if not finding.holds]
    line = markdown(result, findings)
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        result=result,
        findings=findings,
        broken=broken,
        holds=not broken,
        plots=plots(result),
        bottleneck=bottleneck(result.under_load, os.cpu_count() or 1),
        audit_summary=_audit_summary(result),
        examples="" if result.audit.passed else str(result.audit),
        markdown=HEAD + line,
        most=most_offered(result),
    )
    (folder / "report.md").write_text(HEAD + line + "\n", encoding="utf-8")
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def markdown(result: Result, findings: Sequence[LimitResult]) -> str:
    """Return one line of README's table, whose head is HEAD."""
    found = {finding.limit: finding.found for finding in findings}
    seconds = max(1e-9, result.loaded[1] - result.loaded[0])
    followed = (row.p99 / 1000 for row in result.rows if row.name == "websocket to Parquet")
    parquet = next(followed, float("nan"))
    cpu = ", ".join(f"{share_of_core(result.under_load, name):.0%}" for name in OURS)
    rss = ", ".join(f"{peak(result.samples, f'rss.{name}') / 1e6:.0f}" for name in OURS)
    broken = [finding.limit for finding in findings if not finding.holds]
    cells = (
        result.shape.name,
        result.target,
        f"{result.truth:,}",
        f"{most_offered(result):,.0f}",
        f"{grown(result.under_load, 'pushed') / seconds:,.0f}",
        f"≤ {found.get('push_p99_seconds', float('nan')):g}",
        f"{parquet:.1f}",
        cpu,
        rss,
        f"{found.get('redis_share', float('nan')):.0%}",
        f"{found.get('lost', float('nan')):g}, {found.get('doubled', float('nan')):g}",
        "holds" if not broken else "broken: " + ", ".join(broken),
    )
    return "| " + " | ".join(cells) + " |"


def most_offered(result: Result) -> float:
    """Return the highest rate over a few seconds: of events sent, or of events pushed for public hosts."""
    name = "tip" if any("tip" in sample for sample in result.samples) else "pushed"
    return max((rate for _, rate in rates(result.under_load, name)), default=0.0)


def _audit_summary(result: Result) -> str:
    if result.audit.passed:
        return f"{result.truth:,} there once and unaltered: 0 lost, 0 doubled"
    return f"{result.audit.errors:,} faults"


def plots(result: Result) -> dict[str, str]:
    """Return every plot as SVG, by title."""
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
    # Text instead of outlines: a tenth of the size, and searchable.
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
    """Return the commit rate over two intervals, as commits come in batches."""
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


def print_findings(findings: Iterable[LimitResult], console: Console) -> None:
    """Print every limit and whether it holds."""
    for finding in findings:
        word = "holds " if finding.holds else "BROKEN"
        line = f"{word} {finding.limit}: {finding.found:,.6g} (limit {finding.allowed:,.6g})"
        console.print(line, style="green" if finding.holds else "bold red", markup=False)


def progress_printer(console: Console, seconds: float) -> Callable[[list[Sample]], None]:
    """Return a function that prints a line of progress every PROGRESS_SECONDS."""
    last = 0.0

    def print_progress(samples: list[Sample]) -> None:
        nonlocal last
        if samples[-1]["at"] - last >= PROGRESS_SECONDS:
            last = samples[-1]["at"]
            console.print(progress(samples, seconds), markup=False)

    return print_progress


def progress(samples: list[Sample], seconds: float) -> str:
    """Return one line about the last few seconds."""
    recent = [sample for sample in samples if sample["at"] > samples[-1]["at"] - PROGRESS_SECONDS - 1]
    offered, pushed = (([0.0] + [rate for _, rate in rates(recent, name)])[-1] for name in ("tip", "pushed"))
    late = ([0.0] + [events for _, events in behind(recent)])[-1]
    used = samples[-1].get("redis.used", 0.0) / samples[-1].get("redis.max", 1.0)
    cpu = ", ".join(f"{name} {share_of_core(recent, name):.0%}" for name in PROCESSES)
    return (
        f"{samples[-1]['at']:6.0f} s of {seconds:,.0f}: offered {offered:,.0f}/s, pushed {pushed:,.0f}/s, "
        f"behind {late:,.0f}, waiting {samples[-1].get('waiting', 0):,.0f}, Redis {used:.0%}; {cpu}"
    )
