"""Every limit can be broken, and a broken one is named and fails the run."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testing.performance.load.figures import bottleneck, grown, knee, quantile, rates, recovery, rise, slope
from testing.performance.load.plan import SHAPES
from testing.performance.load.report import write_report
from testing.performance.load.result import Result, Row
from testing.performance.load.verdict import MEASURES, judge, limits_of
from testing.proof.audit import Audit, StreamAudit

if TYPE_CHECKING:
    from testing.performance.load.sample import Sample

RATE = 100.0
SECONDS = 100


def sample(at: float, **other: float) -> Sample:
    """Return what a healthy pipeline shows at this second."""
    healthy: Sample = {"at": at, "tip": RATE * at, "pushed": RATE * at, "waiting": 50.0, "machine": 0.5}
    healthy |= {"redis.used": 1e7, "redis.max": 1e9, "redis.commands_total": 2_000 * at}
    for process in ("ingester", "writer", "redis", "host", "locust"):
        healthy |= {f"cpu_total.{process}": at / 10, f"rss.{process}": 5e7}
        healthy[f"written_total.{process}"] = 50_000 * at
    for name in ("buffer_latency", "encode", "commit"):
        for bound, share in (("0.1", 0.999), ("1.0", 1.0), ("+Inf", 1.0)):
            healthy[f'archive_{name}_seconds_bucket{{le="{bound}"}}'] = share * 10 * at
    healthy |= {"archive_commit_retries_total": 0.0, "archive_encode_rejects_total": 0.0}
    return healthy | {'archive_unaccounted_events{stream="posts"}': 0.0} | other


def result(**other: object) -> Result:
    """Return a run that holds."""
    good = Result(
        shape=SHAPES["spike"].scaled(SECONDS, 1_000.0),
        target="processes",
        folder=Path(),
        samples=[sample(at) for at in range(SECONDS + 1)],
        loaded=(0.0, float(SECONDS)),
        rows=[Row("BUFFER", "push", 100, 0, 80.0, 1.0, 2.0, 3.0, 4.0, 500.0)],
        audit=Audit({"posts": StreamAudit(truth=10, archive=10), "rejects": StreamAudit(truth=1)}, {}),
        planted=1,
        rejected=1,
        gaps=[("archive_start", 60.0)],
        exit_codes={"ingester": 0, "writer": 0},
        machine={"processor": "of a test"},
        settings={"WRITER_INTERVAL": "10"},
        interval=10.0,
        began="2026-07-04 14:38",
        hours={"2026-07-04 14:00": 10},
    )
    return replace(good, **other)  # type: ignore[arg-type]


def samples(change: dict[str, float], *, growing: bool = False) -> list[Sample]:
    """Return samples with these values instead, or with this much a second."""
    return [
        sample(at, **{name: value * at if growing else value for name, value in change.items()})
        for at in range(SECONDS + 1)
    ]


def audited(fault: str) -> Audit:
    """Return an audit that found one fault."""
    posts = StreamAudit(truth=10, archive=10)
    setattr(posts, fault, 1)
    return Audit({"posts": posts, "rejects": StreamAudit()}, {})


BREAKS: dict[str, Result] = {
    "received_share": result(samples=samples({"pushed": RATE * 0.975}, growing=True)),
    "push_p99_seconds": result(
        samples=samples(
            {
                'archive_buffer_latency_seconds_bucket{le="0.1"}': 5.0,
                'archive_buffer_latency_seconds_bucket{le="1.0"}': 6.0,
            },
            growing=True,
        )
    ),
    "batch_seconds": result(samples=samples({'archive_encode_seconds_bucket{le="1.0"}': 9.0}, growing=True)),
    "lost": result(audit=audited("lost")),
    "doubled": result(audit=audited("doubled")),
    "altered": result(audit=audited("altered")),
    "unexplained_rejects": result(audit=Audit({"rejects": StreamAudit(unknown=1)}, {})),
    "unaccounted": result(samples=samples({'archive_unaccounted_events{stream="posts"}': -1.0})),
    "gap_rows": result(gaps=[("archive_start", 1.0), ("collection_silent", 31.0)]),
    "redis_share": result(samples=samples({"redis.used": 8.1e8})),
    "redis_commands_per_s": result(samples=samples({"redis.commands_total": 900}, growing=True)),
    "writer_errors": result(samples=samples({"archive_commit_retries_total": 0.1}, growing=True)),
    "failures": result(rows=[Row("READER", "count", 9, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)]),
    "exit_codes": result(exit_codes={"ingester": 0, "writer": -9}),
    "cpu_ingester": result(samples=samples({"cpu_total.ingester": 0.99}, growing=True)),
    "cpu_writer": result(samples=samples({"cpu_total.writer": 0.99}, growing=True)),
    "cpu_redis": result(samples=samples({"cpu_total.redis": 0.99}, growing=True)),
    "rss_ingester_mb": result(samples=samples({"rss.ingester": 6e8})),
    "rss_writer_mb": result(samples=samples({"rss.writer": 1.1e9})),
    "rss_redis_mb": result(samples=samples({"rss.redis": 1.6e9})),
    "written_bytes_per_event": result(samples=samples({"written_total.redis": 2e6}, growing=True)),
    "rss_rise_mb": result(samples=samples({"rss.writer": 3e6}, growing=True)),
    "recovery_seconds": result(
        samples=[sample(at, waiting=50.0 if at < 30 else 1e6) for at in range(SECONDS + 1)]
    ),
}


def names_broken(run: Result, limits: str) -> list[str]:
    return [finding.limit for finding in judge(run, limits_of(limits)) if not finding.holds]


def test_a_good_run_breaks_no_limit() -> None:
    assert names_broken(result(), "spike") == []


def test_every_limit_of_a_spike_can_be_broken() -> None:
    assert set(BREAKS) == set(limits_of("spike")) - {"rss_rise_bytes_per_event"}


@pytest.mark.parametrize("limit", BREAKS)
def test_a_broken_limit_is_named(limit: str) -> None:
    assert names_broken(BREAKS[limit], "spike") == [limit]


@pytest.mark.parametrize(
    ("limits", "change", "limit"),
    [
        ("two_days", {"restarts": 1}, "restarts"),
        ("two_days", {"hours": {"2026-07-04 14:00": 10, "2026-07-04 15:00": 0}}, "empty_hours"),
        ("live", {"doubled_rows": 1}, "doubled_rows"),
        ("steady", {"samples": samples({"waiting": 100.0}, growing=True)}, "depth_rise_intervals"),
    ],
)
def test_limits_of_other_shapes(limits: str, change: dict[str, object], limit: str) -> None:
    assert names_broken(result(**change), limits) == [limit]
    assert names_broken(result(), limits) == []


def test_a_limit_that_could_not_be_measured_is_broken() -> None:
    bare = result(samples=[], rows=[])
    assert {"received_share", "failures", "rss_writer_mb", "unaccounted"} <= set(names_broken(bare, "steady"))


def test_every_limit_is_measured() -> None:
    for shape in [*SHAPES, "two_days", "live"]:
        assert set(limits_of(shape)) - {"rss_rise_bytes_per_event"} <= set(MEASURES)


def test_figures_of_samples() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert rise([(0, 0), (1, 0), (2, 0), (3, 3), (4, 6)]) == 6
    assert grown([{"at": 0, "n": 5}, {"at": 1, "n": 9}, {"at": 2, "n": 3}], "n") == 7
    assert rates([{"at": 0, "n": 0}, {"at": 2, "n": 10}], "n") == [(2, 5)]
    assert quantile(samples({}), "archive_encode_seconds", 0.5) == 0.1
    assert quantile(samples({}), "archive_encode_seconds", 1.0) == 1.0
    assert recovery(samples({"waiting": 1e6}), samples({}), 0, RATE) == math.inf


def test_the_knee_is_the_last_rate_without_growing_lag() -> None:
    ramp = SHAPES["ramp"]
    late = [sample(at, tip=1e6, pushed=1e6 if at < 90 else 0.0) for at in range(int(ramp.seconds))]
    assert knee(late, ramp) == 3_000


def test_the_bottleneck_names_the_process_and_its_side() -> None:
    full = [sample(at, **{"cpu_total.host": at * 0.99}) for at in range(60)]
    assert "host (the generator)" in bottleneck(full, 2)
    assert "the machine" in bottleneck(samples({"machine": 2.0}), 2)
    assert bottleneck(samples({}), 2).startswith("none")


def test_the_report_is_self_contained_and_names_broken_limits(tmp_path: Path) -> None:
    run = BREAKS["gap_rows"]
    findings = judge(run, limits_of("spike"))
    page = write_report(run, findings, tmp_path).read_text(encoding="utf-8")
    assert "Broken: gap_rows." in page
    assert page.count("<svg") == 9
    assert not [word for word in ('src="', "@import", "<script", "<link") if word in page]
    assert "of a test" in page
    line = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()[-1]
    assert line.startswith("| spike | processes | 10 |")
    assert "broken: gap_rows" in line
