"""Entry point of the deploy agent: read the order, start a detached worker, print its log and exit code."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.deploy_agent.execute import execute
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.orders import NOT_AN_ORDER, USAGE, Order, parse, status
from deployment.deploy_agent.output import masked_output, secret_values
from deployment.deploy_agent.worker import finish, follow, start

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK = "work"
ORIGINAL_COMMAND = "SSH_ORIGINAL_COMMAND"


def main(words: list[str], environ: Mapping[str, str], layout: Layout | None = None) -> int:
    """Take the order from SSH or, for a person on the host, from the command line; returns the exit code."""
    layout = layout or Layout()
    if ORIGINAL_COMMAND not in environ and words[1:2] == [WORK]:
        return _work(layout, *words[2:])
    order = parse(environ.get(ORIGINAL_COMMAND, " ".join(words[1:])))
    if order is None:
        print(f"not an order; the deploy agent takes: {USAGE}", file=sys.stderr)  # noqa: T201 - a usage error
        return NOT_AN_ORDER
    if order.verb == "status":
        code, lines = status(layout, order.sha)
        print("\n".join(lines))  # noqa: T201 - the result
        return code
    by = environ.get("SSH_CLIENT", "").partition(" ")[0] or "somebody on the host"
    worker = start(layout, order, [sys.executable, "-I", words[0], WORK, by])
    try:
        return follow(worker)
    except BrokenPipeError:
        # The client is gone; the worker goes on.
        return 0


def _work(layout: Layout, by: str, verb: str, sha: str, log: str) -> int:
    output = masked_output(secret_values(layout.secrets), time.monotonic())
    code = execute(layout, Order(verb, sha), by, output)
    finish(layout, Path(log), code)
    return code
