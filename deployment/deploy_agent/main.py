"""The deploy agent's wiring: the order in, the work started apart, its log and exit code out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from deployment.deploy_agent.errors import NOT_AN_ORDER
from deployment.deploy_agent.follow import finish, follow, start
from deployment.deploy_agent.layout import Layout
from deployment.deploy_agent.order import USAGE, Order, parse
from deployment.deploy_agent.output import secret_values, speaker
from deployment.deploy_agent.status import status
from deployment.deploy_agent.work import carry_out

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK = "work"
ASKED = "SSH_ORIGINAL_COMMAND"


def main(words: list[str], environ: Mapping[str, str], layout: Layout | None = None) -> int:
    """Take the order from SSH or, where a person on the host runs this program, from the command line."""
    layout = layout or Layout()
    if ASKED not in environ and words[1:2] == [WORK]:
        return _work(layout, *words[2:])
    order = parse(environ.get(ASKED, " ".join(words[1:])))
    if order is None:
        print(f"not an order; the deploy agent takes: {USAGE}", file=sys.stderr)  # noqa: T201 - for who asked
        return NOT_AN_ORDER
    if order.verb == "status":
        said = status(layout, order.sha)
        print("\n".join(said.lines))  # noqa: T201 - the answer
        return said.code
    by = environ.get("SSH_CLIENT", "").partition(" ")[0] or "somebody on the host"
    work = start(layout, order, [sys.executable, "-I", words[0], WORK, by])
    try:
        return follow(work)
    except BrokenPipeError:
        # Whoever waited is gone; the work is not.
        return 0


def _work(layout: Layout, by: str, verb: str, sha: str, log: str) -> int:
    say = speaker(secret_values(layout.secrets), time.monotonic())
    code = carry_out(layout, Order(verb, sha), by, say)
    finish(layout, Path(log), code)
    return code
