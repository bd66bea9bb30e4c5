"""One self-contained HTML file about a run, and its line of Markdown for a README's table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from testing.performance.load.figures import bottleneck, grown, peak, rates, share_of_core
from testing.performance.load.plots import plots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testing.performance.load.result import Result
    from testing.performance.load.verdict import Finding

TEMPLATE = Path(__file__).with_name("report.html")
OURS = ("ingester", "writer", "redis")
HEAD = (
    "| shape | target | events | offered/s at most | pushed/s | p99 to Redis, s | to Parquet, p99 s "
    "| CPU ingester, writer, Redis | RSS MB | Redis at most | lost, doubled | verdict |\n"
    "|---|---|--:|--:|--:|--:|--:|---|---|--:|--:|---|\n"
)


def write_report(result: Result, findings: Sequence[Finding], folder: Path) -> Path:
    """Write report.html and report.md; returns the former."""
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
        audit_said=_said(result),
        examples="" if result.audit.passed else str(result.audit),
        markdown=HEAD + line,
        most=most_offered(result),
    )
    (folder / "report.md").write_text(HEAD + line + "\n", encoding="utf-8")
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def markdown(result: Result, findings: Sequence[Finding]) -> str:
    """Return one line of a README's table; HEAD is its head."""
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
    """Return the most events a second that came, over a few seconds; of hosts not ours, that were pushed."""
    name = "tip" if any("tip" in sample for sample in result.samples) else "pushed"
    return max((rate for _, rate in rates(result.under_load, name)), default=0.0)


def _said(result: Result) -> str:
    if result.audit.passed:
        return f"{result.truth:,} there once and unaltered: 0 lost, 0 doubled"
    return f"{result.audit.faults:,} faults"
