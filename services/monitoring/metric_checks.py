"""Check that panels, rules and alerts use exported metrics only, and that panels show every metric of ours.

`python -m services.monitoring.metric_checks [URL]`: without the address of a Prometheus only our own metrics
are checked, from the code; with one, all of them.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import urlopen

import promql_parser as promql
import yaml
from prometheus_client import CollectorRegistry

from services.compactor.metrics import CompactorMetrics
from services.data_writer.metrics import WriterMetrics
from services.jetstream.metrics import IngesterMetrics
from services.shared.event import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

MONITORING = Path(__file__).resolve().parents[2] / "monitoring"
DASHBOARDS = MONITORING / "grafana" / "dashboards"
RULES = MONITORING / "prometheus" / "rules"
PREFIX = "archive_"
"""Of the names of our own metrics."""
CREATED = "_created"
"""Suffix of the creation time that the client library adds to each counter; no panel needs it."""
PRODUCTION_ONLY = frozenset(
    {
        "backup_copied_timestamp_seconds",
        "backup_verified_timestamp_seconds",
        "probe_ssl_earliest_cert_expiry",
        "probe_success",
    }
)
"""Metrics of a production host and its blackbox_exporter, which the Prometheus of no other stack holds."""
HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")
GRAFANA_VARIABLES = {"$__rate_interval": "1m", "$__range": "3h"}
"""Values for Grafana's own variables in a query that is sent without Grafana."""
EXEMPT: dict[str, str] = {}
"""Metrics of ours that no panel shows, each with the reason."""


class Expression(NamedTuple):
    """A PromQL expression, and the panel or rule that holds it."""

    place: str
    promql: str


def main(words: list[str]) -> int:
    """Print every mistake; returns 0 when there is none."""
    panels = metrics_used(dashboard_expressions())
    used = metrics_used([*dashboard_expressions(), *rule_expressions()])
    exported = own_metrics() | recorded_names() | PRODUCTION_ONLY
    if words:
        exported |= stored_metrics(words[0])
    else:
        used = {name: places for name, places in used.items() if name.startswith((PREFIX, "archive:"))}
    mistakes = [*not_exported(used, exported), *not_shown(with_rule_inputs(set(panels)), own_metrics())]
    print("\n".join(mistakes) or f"{len(used)} metrics used, all exported; all of ours shown")  # noqa: T201
    return bool(mistakes)


def not_exported(used: Mapping[str, AbstractSet[str]], exported: AbstractSet[str]) -> list[str]:
    """Return a sentence for each metric that is used and not exported."""
    return [
        f"nothing exports {name}, used by {'; '.join(sorted(places))}"
        for name, places in sorted(used.items())
        if name not in exported
    ]


def not_shown(
    shown: AbstractSet[str], exported: AbstractSet[str], exempt: Mapping[str, str] = EXEMPT
) -> list[str]:
    """Return a sentence for each metric of ours that no panel shows, and for each exemption without need."""
    ours = {metric_of(name, exported) for name in exported if name.startswith(PREFIX)}
    seen = {metric_of(name, exported) for name in shown}
    found = [f"no panel shows {name}" for name in sorted(ours - seen - set(exempt))]
    found += [f"{name} is exempt, but is shown" for name in sorted(seen & set(exempt))]
    return found + [f"{name} is exempt, but nothing exports it" for name in sorted(set(exempt) - ours)]


def own_metrics() -> set[str]:
    """Return the names of our samples, without creation times of counters."""
    registry = CollectorRegistry()
    IngesterMetrics(registry)
    WriterMetrics(registry, tuple(Stream))
    CompactorMetrics(registry)
    return {
        sample.name
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith(PREFIX) and not sample.name.endswith(CREATED)
    } | {
        # A metric whose label values are not known in advance has no sample yet.
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in registry.collect()
        if not family.samples
    }


def stored_metrics(prometheus: str) -> set[str]:
    """Return every name that a Prometheus holds, without creation times; raises OSError without an answer."""
    address = f"{prometheus}/api/v1/label/__name__/values"
    with urlopen(address, timeout=10) as reply:  # noqa: S310 - the operator's own http address
        found: list[str] = json.loads(reply.read())["data"]
    return {name for name in found if not name.endswith(CREATED)}


def metric_of(sample: str, samples: Iterable[str]) -> str:
    """Return the metric of a sample: the samples of a histogram are one metric."""
    for suffix in HISTOGRAM_SUFFIXES:
        base = sample.removesuffix(suffix)
        if base != sample and f"{base}_bucket" in samples:
            return base
    return sample


def dashboard_expressions(folder: Path = DASHBOARDS) -> list[Expression]:
    """Return the expressions of every panel."""
    return [
        Expression(f"{path.name}: {panel['title']}", target["expr"])
        for path in sorted(folder.glob("*.json"))
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", [])
    ]


def rule_expressions(folder: Path = RULES) -> list[Expression]:
    """Return the expressions of every recording rule and alert."""
    return [
        Expression(f"{path.name}: {rule.get('alert') or rule['record']}", rule["expr"])
        for path, rule in _rules(folder)
    ]


def recorded_names(folder: Path = RULES) -> set[str]:
    """Return the names of recording rules, and the metric that Prometheus itself makes of alerts."""
    return {"ALERTS"} | {rule["record"] for _, rule in _rules(folder) if "record" in rule}


def with_rule_inputs(names: set[str], folder: Path = RULES) -> set[str]:
    """Return names and, for recording rules among them, the metrics that these are computed from."""
    inputs = {rule["record"]: metrics_in(rule["expr"]) for _, rule in _rules(folder) if "record" in rule}
    found, fresh = set(names), set(names)
    while fresh:
        fresh = set().union(*(inputs.get(name, set()) for name in fresh)) - found
        found |= fresh
    return found


def metrics_used(expressions: list[Expression]) -> dict[str, set[str]]:
    """Return every metric in the expressions, with the places that use it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for expression in expressions:
        for name in metrics_in(expression.promql):
            found[name].add(expression.place)
    return dict(found)


def metrics_in(expr: str) -> set[str]:
    """Return every metric in an expression; raises ValueError for a selector without a name."""
    found: set[str] = set()

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql.VectorSelector):
            if not node.name:
                raise ValueError(f"a selector without a metric's name in {expr!r}")
            found.add(node.name)

    promql.walk(parse(expr), visit)
    return found


def parse(expr: str) -> promql.Expr:
    """Parse an expression; raises ValueError, with the position, when it is not PromQL."""
    return promql.parse(without_variables(expr))


def without_variables(expr: str) -> str:
    """Return an expression as Prometheus accepts it, with values for Grafana's variables."""
    for variable, value in GRAFANA_VARIABLES.items():
        expr = expr.replace(variable, value)
    return expr


def without_default(expr: str) -> str:
    """Return an expression without any `or vector(...)`, so that only measured values remain."""

    def strip(node: promql.Expr) -> promql.Expr | None:
        if isinstance(node, promql.BinaryExpr) and str(node.op) == "or" and "vector(" in str(node.rhs):
            return node.lhs
        return None

    return str(promql.transform(parse(expr), strip))


def _rules(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    return [
        (path, rule)
        for path in sorted(folder.glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
