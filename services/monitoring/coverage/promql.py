"""What an expression of PromQL asks for."""

from __future__ import annotations

import promql_parser as promql

STAND_INS = {"$__rate_interval": "1m", "$__range": "3h"}
"""What Grafana puts in place of its own variables, for a question asked without it."""


def plain(expr: str) -> str:
    """Return the expression as Prometheus takes it, without Grafana's variables."""
    for variable, value in STAND_INS.items():
        expr = expr.replace(variable, value)
    return expr


def parsed(expr: str) -> promql.Expr:
    """Parse it; raises ValueError, with the place, when it is no PromQL."""
    return promql.parse(plain(expr))


def names(expr: str) -> set[str]:
    """Return every metric that it asks for; raises ValueError for a selector that names none."""
    found: set[str] = set()

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql.VectorSelector):
            if not node.name:
                raise ValueError(f"a selector without a metric's name in {expr!r}")
            found.add(node.name)

    promql.walk(parsed(expr), visit)
    return found


def without_default(expr: str) -> str:
    """Return the expression without `or vector(...)`, wherever it stands: what is truly measured."""

    def strip(node: promql.Expr) -> promql.Expr | None:
        if isinstance(node, promql.BinaryExpr) and str(node.op) == "or" and "vector(" in str(node.rhs):
            return node.lhs
        return None

    return str(promql.transform(parsed(expr), strip))
