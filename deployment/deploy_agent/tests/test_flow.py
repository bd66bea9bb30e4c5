"""Whether data flow, decided on samples of metrics."""

from __future__ import annotations

import pytest

from deployment.deploy_agent.flow import Sample, sample, stopped_at

BEFORE = Sample(events=9000, rows=8000, lag=2.0, paused=False, interval=300)


def _samples(*pairs: tuple[float, float], lags: tuple[float, ...] = ()) -> list[Sample]:
    lags = lags or (1.0,) * len(pairs)
    return [Sample(*pair, lag, paused=False, interval=300) for pair, lag in zip(pairs, lags, strict=True)]


def test_restarted_daemons_that_work() -> None:
    assert stopped_at(BEFORE, _samples((0, 0), (50, 0), (90, 120))) == ""


def test_daemons_that_were_not_restarted() -> None:
    assert stopped_at(BEFORE, _samples((9100, 8000), (9200, 8100))) == ""


def test_the_first_release() -> None:
    assert stopped_at(None, _samples((0, 0), (50, 10))) == ""


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        ([], "the daemons do not answer"),
        (_samples((50, 100)), "no events arrive"),
        (_samples((50, 100), (50, 120)), "no events arrive"),
        # The counter of a daemon that restarts again and again.
        (_samples((50, 100), (0, 120)), "no events arrive"),
        (_samples((50, 8000), (90, 8000)), "no parts are committed"),
        (_samples((50, 0), (90, 0)), "no parts are committed"),
        (_samples((50, 1), (90, 2), lags=(900, 905)), "the lag of 905 s does not fall"),
    ],
)
def test_the_reason_is_named(since: list[Sample], reason: str) -> None:
    assert stopped_at(BEFORE, since) == reason


def test_a_large_lag_that_falls_is_accepted() -> None:
    assert stopped_at(BEFORE, _samples((50, 1), (9000, 2), lags=(900, 850))) == ""


def test_a_paused_ingester_is_the_reason() -> None:
    paused = [Sample(50, 100, 1.0, paused=True, interval=300)]
    assert "paused" in stopped_at(BEFORE, paused)


JETSTREAM = """\
# HELP archive_validate_events_total Events.
# TYPE archive_validate_events_total counter
archive_validate_events_total{stream="posts"} 10.0
archive_validate_events_total{stream="likes"} 2.5e+01
archive_receive_lag_seconds 1.5
archive_receive_paused 0.0
"""
WRITER = """\
archive_commit_rows_total{stream="posts"} 7.0
archive_commit_rows_total{stream="gaps"} 1.0
archive_commit_rows_total{stream="rejects"} 3.0
archive_claim_interval_seconds 300.0
"""


def test_metrics_are_summed_without_gaps_and_rejects() -> None:
    assert sample(JETSTREAM, WRITER) == Sample(35.0, 7.0, 1.5, paused=False, interval=300.0)


def test_a_page_without_a_metric_raises() -> None:
    with pytest.raises(KeyError):
        sample("", WRITER)
