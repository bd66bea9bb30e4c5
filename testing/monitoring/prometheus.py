"""A client of a running Prometheus."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import urlopen

if TYPE_CHECKING:
    from testing.harness.stack import Stack

Labels = dict[str, str]
Points = list[tuple[float, float]]
"""Unix seconds and value."""
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Prometheus:
    """Prometheus at `url`; every method raises OSError when it does not answer or refuses a query."""

    url: str

    def ask(self, path: str, **words: str) -> Any:
        """Call its API; returns the data of the reply."""
        body = urlencode(words).encode() if words else None
        with urlopen(  # noqa: S310 - a program of ours, on this machine
            f"{self.url}/api/v1/{path}", body, TIMEOUT_SECONDS
        ) as reply:
            return json.loads(reply.read())["data"]

    def instant(self, expr: str) -> list[tuple[Labels, float]]:
        """Return the value of an expression now, by labels."""
        found = self.ask("query", query=expr)
        if found["resultType"] == "scalar":
            return [({}, float(found["result"][1]))]
        return [(one["metric"], float(one["value"][1])) for one in found["result"]]

    def values(self, expr: str) -> list[float]:
        """Return the values now, without NaN."""
        return [value for _, value in self.instant(expr) if not math.isnan(value)]

    def over(self, expr: str, start: float, end: float, step: float) -> list[tuple[Labels, Points]]:
        """Return the values from `start` to `end` in Unix seconds, every `step` seconds."""
        words = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        found = self.ask("query_range", query=expr, **words)["result"]
        return [(one["metric"], [(float(at), float(value)) for at, value in one["values"]]) for one in found]

    def newest(self, name: str) -> float:
        """Return the Unix seconds of a metric's newest sample; minus infinity without one."""
        return max(self.values(f"max(timestamp({name}))"), default=-math.inf)

    def age(self, name: str) -> float:
        """Return the age of a metric's newest sample in seconds; infinite without one."""
        return max(self.values(f"time() - max(timestamp({name}))"), default=math.inf)

    def series(self, names: set[str]) -> list[Labels]:
        """Return the labels of every series of these metrics, `__name__` among them."""
        choice = "|".join(sorted(names))
        found: list[Labels] = self.ask("series", **{"match[]": f'{{__name__=~"{choice}"}}'})
        return found


def of_stack(stack: Stack) -> Prometheus:
    """Return the Prometheus of a stack."""
    return Prometheus(stack.url("PROMETHEUS_PORT"))
