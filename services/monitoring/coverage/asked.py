"""Every metric that somebody asks for, and who: panels, recording rules and alerts as they are committed."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from services.monitoring.coverage.promql import names

MONITORING = Path(__file__).resolve().parents[3] / "monitoring"
DASHBOARDS = MONITORING / "grafana" / "dashboards"
RULES = MONITORING / "prometheus" / "rules"


class Question(NamedTuple):
    """An expression, and where it stands."""

    place: str
    expr: str


def of_dashboards(folder: Path = DASHBOARDS) -> list[Question]:
    """Return the questions of every panel."""
    return [
        Question(f"{path.name}: {panel['title']}", target["expr"])
        for path in sorted(folder.glob("*.json"))
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
        for target in panel.get("targets", [])
    ]


def of_rules(folder: Path = RULES) -> list[Question]:
    """Return the questions of every recording rule and alert."""
    return [
        Question(f"{path.name}: {rule.get('alert') or rule['record']}", rule["expr"])
        for path, rule in _rules(folder)
    ]


def recorded(folder: Path = RULES) -> set[str]:
    """Return the names that recording rules make, and the one that Prometheus makes of alerts."""
    return {"ALERTS"} | {rule["record"] for _, rule in _rules(folder) if "record" in rule}


def through_rules(shown: set[str], folder: Path = RULES) -> set[str]:
    """Return the names, and those that recording rules make them from."""
    made_from = {rule["record"]: names(rule["expr"]) for _, rule in _rules(folder) if "record" in rule}
    found, fresh = set(shown), set(shown)
    while fresh:
        fresh = set().union(*(made_from.get(name, set()) for name in fresh)) - found
        found |= fresh
    return found


def places(questions: list[Question]) -> dict[str, set[str]]:
    """Return every metric asked for, with the places."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for question in questions:
        for name in names(question.expr):
            found[name].add(question.place)
    return dict(found)


def _rules(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    return [
        (path, rule)
        for path in sorted(folder.glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
