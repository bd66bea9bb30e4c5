"""The dashboards on a running stack, and on a Prometheus with thirty days of data."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest

from services.monitoring.dashboards.grafana import REFRESH
from services.monitoring.dashboards.pages import PAGES
from services.monitoring.metric_checks import (
    PREFIX,
    PRODUCTION_ONLY,
    dashboard_expressions,
    metrics_in,
    metrics_used,
    not_exported,
    not_shown,
    own_metrics,
    recorded_names,
    rule_expressions,
    stored_metrics,
    with_rule_inputs,
    without_default,
    without_variables,
)
from services.monitoring.tests import counted_run
from services.monitoring.tests.alerting_runs import A_MINUTE, Run
from services.monitoring.tests.test_rules import WITHIN_A_MINUTE
from testing.harness.fixtures import PROJECT
from testing.harness.stack import METRICS, PIPELINE, Stack
from testing.harness.stack_faults import double_traffic
from testing.harness.waiting import wait_for
from testing.monitoring.backfill import A_DAY, DAYS, SCRAPE_SECONDS, Past, backfill
from testing.monitoring.prometheus import Labels, Prometheus, of_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.monitoring.dashboards.page import Page, Panel, Query
    from testing.harness.pipeline import Pipeline

    MakeStack = Callable[..., Stack]
    Pipelines = Callable[..., Pipeline]

RATE = 200
WINDOW_SECONDS = 75
"""A window of one minute lies within it, for scrapes are 15 s apart."""
FRESH_SECONDS = 30
ANSWER_SECONDS = 5
MOST_SAMPLES = 20_000_000
STEP_SECONDS = 120
"""Grafana's step for a day in a graph of a quarter of a wide screen; a laptop's is larger."""
FRAMES = "archive_receive_frames_total"


@pytest.fixture(scope="module")
def live(images: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:  # noqa: ARG001
    """Yield a running stack without Grafana and with endless traffic."""
    folder = tmp_path_factory.mktemp("live")
    name = f"{PROJECT}-{secrets.token_hex(4)}"
    one = Stack(name, folder, {"DEMO_RATE": str(RATE)}, profiles=("demo",))
    try:
        one.up(*PIPELINE, *METRICS)
        yield one
    finally:
        one.end()


class History(NamedTuple):
    """A stack whose Prometheus holds thirty days of the page with the most series."""

    stack: Stack
    prometheus: Prometheus
    page: Page
    series: list[Labels]
    past: Past
    samples: int


@pytest.fixture(scope="module")
def history(live: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """Fill a second Prometheus with the series of the running stack."""
    prometheus = of_stack(live)
    wait_for(
        lambda: prometheus.values("sum(up)") == prometheus.values("count(up)"), 60, "every target scraped"
    )
    everything = [query.expr for page in PAGES for query in _queries(page)]
    wait_for(
        lambda: all(prometheus.instant(without_variables(expr)) for expr in everything),
        120,
        "every panel has data",
    )
    every = {page: [name for query in _queries(page) for name in metrics_in(query.expr)] for page in PAGES}
    found = prometheus.series({name for of_page in every.values() for name in of_page})
    many = Counter(labels["__name__"] for labels in found)
    page = max(PAGES, key=lambda page: sum(many[name] for name in every[page]))
    series = [labels for labels in found if labels["__name__"] in every[page]]
    folder = tmp_path_factory.mktemp("history")
    one = Stack(f"{PROJECT}-{secrets.token_hex(4)}", folder)
    try:
        past = Past(int(time.time()))
        samples = backfill(one, series, past)
        one.up("prometheus")
        yield History(one, of_stack(one), page, series, past, samples)
    finally:
        one.end()


def test_metrics_accuracy(pipeline: Pipelines) -> None:
    host = counted_run.source()
    with pipeline(host) as running:
        counted_run.play(running, host)
        ingester, writer = counted_run.expected(host, running.root)
        assert not counted_run.wrong(running.ingester, ingester)
        closed = "no event is unaccounted after a later round"
        wait_for(lambda: not counted_run.wrong(running.writer, writer), 30, closed)
        print(f"{len(ingester) + len(writer)} metrics as expected")


@pytest.mark.timeout(900)
def test_alerting(stack: MakeStack, tmp_path: Path) -> None:
    run = Run(stack, tmp_path)
    faults = run.faults()
    print("fault, alert, seconds until it was sent, seconds from the repair to the all-clear")
    print(run.trial.table(*faults))
    assert {fault.alert for fault in faults} >= WITHIN_A_MINUTE
    late = {alert: run.trial.seconds[alert, "firing"] for alert in WITHIN_A_MINUTE}
    assert all(seconds <= A_MINUTE for seconds in late.values()), late
    assert run.documented()


def test_dashboard_load(live: Stack) -> None:
    prometheus = of_stack(live)
    _wait_window(prometheus, "the first window of traffic")
    panels = [(page, panel) for page in PAGES for panel in page.panels]
    empty = [
        f"{page.title}: {panel.title}: {query.expr}"
        for page, panel in panels
        for query in panel.queries
        if not prometheus.values(without_default(query.expr))
    ]
    assert not empty, "\n".join(empty)
    assert int(REFRESH.removesuffix("s")) <= FRESH_SECONDS
    stale = {
        f"{page.title}: {panel.title}: {name}": age
        for page, panel in panels
        for name in {name for query in panel.queries for name in metrics_in(query.expr)}
        if (age := prometheus.age(name)) > FRESH_SECONDS
    }
    assert not stale
    used = metrics_used([*dashboard_expressions(), *rule_expressions()])
    exported = stored_metrics(prometheus.url) | recorded_names() | PRODUCTION_ONLY
    assert not not_exported(used, exported)
    assert not not_shown(
        with_rule_inputs(set(metrics_used(dashboard_expressions()))), own_metrics() | exported
    )

    flowing = [(page, panel) for page, panel in panels if panel.flows]
    assert len(flowing) >= 6
    before = {panel.title: _height(prometheus, panel) for _, panel in flowing}
    with double_traffic(live):
        _wait_window(prometheus, "a window of twice the traffic")
        after = {panel.title: _height(prometheus, panel) for _, panel in flowing}
    ratios = {title: after[title] / before[title] for title in before}
    print("\n".join(f"{title}: x {ratio:.2f}" for title, ratio in ratios.items()))
    assert all(1.5 < ratio < 2.5 for ratio in ratios.values()), ratios


def test_historical_data(history: History) -> None:
    prometheus = history.prometheus
    assert history.samples <= MOST_SAMPLES
    flags = prometheus.ask("status/flags")
    assert flags["storage.tsdb.retention.time"] == f"{DAYS}d"
    assert flags["storage.tsdb.retention.size"] not in ("", "0B")
    bounds = prometheus.ask("status/runtimeinfo")["storageRetention"]
    assert bounds.startswith(f"{DAYS}d or "), bounds

    history.stack.compose("restart", "prometheus")
    history.stack.wait_healthy("prometheus")
    # No daemon runs beside this Prometheus: it holds only the series that were filled in.
    (one, *_) = of_ours = [labels for labels in history.series if labels["__name__"].startswith(PREFIX)]
    of_name = {labels["__name__"] for labels in of_ours}
    held = sum(sum(prometheus.values(f"sum(count_over_time({name}[{DAYS + 1}d]))")) for name in of_name)
    assert held == len(of_ours) * len(history.past.times())
    labels = ",".join(f"{key}={json.dumps(value)}" for key, value in one.items() if key != "__name__")
    picked = f"{one['__name__']}{{{labels}}}"
    (oldest,) = prometheus.values(f"min_over_time(timestamp({picked})[{DAYS}d:1h])")
    assert time.time() - oldest > (DAYS - 1) * A_DAY
    (in_an_hour,) = prometheus.values(f"count_over_time({picked}[1h] offset 2h)")
    assert in_an_hour == 3600 / SCRAPE_SECONDS
    days = prometheus.over(f"changes({picked}[1d])", history.past.start + A_DAY, history.past.end, A_DAY)
    assert [len(points) for _, points in days] == [DAYS - 1]


def test_performance(history: History) -> None:
    took = {query.expr: _draw(history, query) for query in _queries(history.page)}
    spent = sum(took.values())
    print(f"{spent:.2f} s: 24 h of {history.page.title} out of {history.samples:,} samples; the slowest:")
    print("\n".join(f"{took[expr]:.2f} s  {expr}" for expr in sorted(took, key=lambda expr: -took[expr])[:5]))
    assert spent <= ANSWER_SECONDS


def _queries(page: Page) -> list[Query]:
    return [query for panel in page.panels for query in panel.queries]


def _draw(history: History, query: Query) -> float:
    """Query as a panel over the last day does; returns the seconds until the answer."""
    expr, end = without_variables(query.expr), history.past.end
    began = time.monotonic()
    if query.instant:
        found = len(history.prometheus.instant(expr))
    else:
        found = len(history.prometheus.over(expr, end - A_DAY, end, STEP_SECONDS))
    assert found, f"nothing for {query.expr}"
    return time.monotonic() - began


def _wait_window(prometheus: Prometheus, what: str) -> None:
    end = time.time() + WINDOW_SECONDS
    wait_for(lambda: prometheus.newest(FRAMES) > end, WINDOW_SECONDS + 30, what)


def _height(prometheus: Prometheus, panel: Panel) -> float:
    """Return the sum of all lines of a panel."""
    return sum(value for query in panel.queries for value in prometheus.values(without_variables(query.expr)))
