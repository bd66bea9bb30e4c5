"""The check of what is asked for against what is exported finds each kind of mistake."""

from __future__ import annotations

import pytest

from services.monitoring.coverage.__main__ import main
from services.monitoring.coverage.asked import of_dashboards, of_rules, places, through_rules
from services.monitoring.coverage.check import unknown, unseen
from services.monitoring.coverage.exported import metric_of, ours
from services.monitoring.coverage.promql import names, parsed, without_default


@pytest.fixture(scope="module")
def shown() -> set[str]:
    return through_rules(set(places(of_dashboards())))


def test_what_is_asked_is_exported_and_what_is_exported_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().out
    assert len(of_dashboards()) > 60
    assert len(of_rules()) > 20


def test_a_name_that_nobody_exports_is_found() -> None:
    asked = {"archive_commit_rows_total": {"a.json: Rows"}, "archive_commit_rowz_total": {"a.json: Rows"}}
    (found,) = unknown(asked, ours())
    assert found == "nobody exports archive_commit_rowz_total, asked for by a.json: Rows"


@pytest.mark.parametrize("name", sorted(ours()))
def test_a_metric_that_no_panel_shows_is_found(name: str, shown: set[str]) -> None:
    exported = ours()
    whole = metric_of(name, exported)
    others = {one for one in shown if metric_of(one, exported) != whole}
    assert unseen(others, exported) == [f"no panel shows {whole}"]


def test_exceptions_must_be_some() -> None:
    exported, shown = {"archive_a", "archive_b"}, {"archive_a"}
    assert unseen(shown, exported, {"archive_b": "why"}) == []
    assert unseen(shown, exported, {"archive_b": "why", "archive_a": "why"}) == [
        "archive_a is excepted, but is shown"
    ]
    assert unseen(shown, exported, {"archive_b": "why", "archive_c": "why"}) == [
        "archive_c is excepted, but nobody exports it"
    ]


@pytest.mark.parametrize(
    ("expr", "asked"),
    [
        ("up", {"up"}),
        (
            'sum by (job) (rate(a_total{x=~"b|c"}[$__rate_interval])) / on (job) group_left d:e',
            {"a_total", "d:e"},
        ),
        ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m])))", {"h_bucket"}),
        ("max_over_time(deriv(disk_free[1h])[6h:5m]) or vector(0)", {"disk_free"}),
        ("time() - 3", set()),
    ],
)
def test_names(expr: str, asked: set[str]) -> None:
    assert names(expr) == asked


@pytest.mark.parametrize("expr", ["sum(", "rate(a)", "a +", '{job="x"}'])
def test_what_is_no_question_is_refused(expr: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        names(expr)


def test_a_default_does_not_count() -> None:
    bare = str(parsed("sum(rate(a[1m])) + b"))
    assert without_default("(sum(rate(a[1m])) + b) or vector(0)").strip("()") == bare.strip("()")
    assert without_default("sum(rate(a[1m]) or vector(0)) + (b or vector(1))").replace("(b{})", "b{}") == bare


def test_parts_of_a_histogram_are_one_metric() -> None:
    samples = {"h_bucket", "h_sum", "h_count", "other_count"}
    assert {metric_of(sample, samples) for sample in samples} == {"h", "other_count"}
