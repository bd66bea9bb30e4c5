"""Check panels, rules and alerts against what is exported: `python -m services.monitoring.coverage [URL]`.

Without the address of a Prometheus only our own metrics are checked, from the code; with one, all of them.
"""

from __future__ import annotations

import sys

from services.monitoring.coverage.asked import of_dashboards, of_rules, places, recorded, through_rules
from services.monitoring.coverage.check import unknown, unseen
from services.monitoring.coverage.exported import OURS, PRODUCTION, ours, stored


def main(words: list[str]) -> int:
    """Print what is wrong; return 0 when nothing is."""
    panels = places(of_dashboards())
    asked = places([*of_dashboards(), *of_rules()])
    exported = ours() | recorded() | PRODUCTION
    if words:
        exported |= stored(words[0])
    else:
        asked = {name: where for name, where in asked.items() if name.startswith((OURS, "archive:"))}
    wrong = [*unknown(asked, exported), *unseen(through_rules(set(panels)), ours())]
    print("\n".join(wrong) or f"{len(asked)} metrics asked for, all exported; all of ours shown")  # noqa: T201
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
