"""Write the JSON file of every dashboard: `make dashboards`."""

from __future__ import annotations

from pathlib import Path

from services.monitoring.dashboards.grafana import rendered
from services.monitoring.dashboards.pages import PAGES

FOLDER = Path(__file__).resolve().parents[3] / "monitoring" / "grafana" / "dashboards"

if __name__ == "__main__":
    for page in PAGES:
        (FOLDER / f"{page.name}.json").write_text(rendered(page), encoding="utf-8")
