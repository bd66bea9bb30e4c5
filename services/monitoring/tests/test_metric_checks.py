"""The checks of metrics in use against exported ones find each kind of mistake."""

from __future__ import annotations

import pytest

from services.monitoring.metric_checks import (
    dashboard_expressions,
    main,
    metric_of,
    metrics_in,
    metrics_used,
    not_exported,
    not_shown,
    own_metrics,
    parse,
    rule_expressions,
    with_rule_inputs,
    without_default,
)


@pytest.fixture(scope="module")
def shown() -> set[str]:
    return with_rule_inputs(set(metrics_used(dashboard_expressions())))


def test_metrics_in_use_are_exported_and_ours_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0, capsys.readouterr().out
    assert len(dashboard_expressions()) > 60
    assert len(rule_expressions()) > 20


def test_a_metric_that_is_not_exported_is_found() -> None:
    used = {"archive_commit_rows_total": {"a.json: Rows"}, "archive_commit_rowz_total": {"a.json: Rows"}}
    (found,) = not_exported(used, own_metrics())
    assert found == "nothing exports archive_commit_rowz_total, used by a.json: Rows"


@pytest.mark.parametrize("name", sorted(own_metrics()))
def test_a_metric_that_no_panel_shows_is_found(name: str, shown: set[str]) -> None:
    exported = own_metrics()
    whole = metric_of(name, exported)
    others = {one for one in shown if metric_of(one, exported) != whole}
    assert not_shown(others, exported) == [f"no panel shows {whole}"]


def test_an_exemption_without_need_is_found() -> None:
    exported, shown = {"archive_a", "archive_b"}, {"archive_a"}
    assert not_shown(shown, exported, {"archive_b": "why"}) == []
    assert not_shown(shown, exported, {"archive_b": "why", "archive_a": "why"}) == [
        "archive_a is exempt, but is shown"
    ]
    assert not_shown(shown, exported, {"archive_b": "why", "archive_c": "why"}) == [
        "archive_c is exempt, but nothing exports it"
    ]


@pytest.mark.parametrize(
    ("expr", "expected"),
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
def test_metrics_of_an_expression(expr: str, expected: set[str]) -> None:
    assert metrics_in(expr) == expected


@pytest.mark.parametrize("expr", ["sum(", "rate(a)", "a +", '{job="x"}'])
def test_an_expression_that_is_not_promql_is_refused(expr: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        metrics_in(expr)


def test_a_default_is_removed() -> None:
    bare = str(parse("sum(rate(a[1m])) + b"))
    assert without_default("(sum(rate(a[1m])) + b) or vector(0)").strip("()") == bare.strip("()")
    assert without_default("sum(rate(a[1m]) or vector(0)) + (b or vector(1))").replace("(b{})", "b{}") == bare


def test_the_samples_of_a_histogram_are_one_metric() -> None:
    samples = {"h_bucket", "h_sum", "h_count", "other_count"}
    assert {metric_of(sample, samples) for sample in samples} == {"h", "other_count"}
