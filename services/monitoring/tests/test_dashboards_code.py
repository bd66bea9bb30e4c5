"""Conventions of every dashboard, checked in its committed file without a server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from services.monitoring.dashboards.grafana import rendered
from services.monitoring.dashboards.page import WIDTH
from services.monitoring.dashboards.pages import PAGES
from services.monitoring.metric_checks import DASHBOARDS, MONITORING, RULES, parse

FILES = sorted(DASHBOARDS.glob("*.json"))
STAGES = ["receive", "validate", "buffer", "claim", "encode", "commit"]
COMPOSE = MONITORING.parent / "docker-compose.yml"
PROVISIONING = MONITORING / "grafana" / "provisioning"


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def page(request: pytest.FixtureRequest) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    return read


def _panels(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_the_committed_file_is_current(name: str) -> None:
    (page,) = (page for page in PAGES if page.name == name)
    assert (DASHBOARDS / f"{name}.json").read_text(encoding="utf-8") == rendered(page), "run: make dashboards"


def test_every_file_has_its_page() -> None:
    assert [path.stem for path in FILES] == sorted(page.name for page in PAGES)


def test_grafanas_models_read_and_write_the_file_unchanged(page: dict[str, Any]) -> None:
    again = json.dumps(Dashboard.from_json(page), cls=JSONEncoder, sort_keys=True)
    assert json.loads(again) == page


def test_every_panel_has_description_unit_and_thresholds(page: dict[str, Any]) -> None:
    for panel in _panels(page):
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            parse(target["expr"])
            for window in re.findall(r"rate\([^\[]*\[([^\]]+)\]", target["expr"]):
                assert window == "$__rate_interval", target["expr"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_titles_ids_and_positions_are_unique(page: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in page["panels"]]
    titles = [panel["title"] for panel in page["panels"]]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    taken: set[tuple[int, int]] = set()
    for panel in page["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert place["x"] + place["w"] <= WIDTH, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_row_is_filled(page: dict[str, Any]) -> None:
    for top in {panel["gridPos"]["y"] for panel in page["panels"]}:
        wide = sum(panel["gridPos"]["w"] for panel in page["panels"] if panel["gridPos"]["y"] == top)
        assert wide == WIDTH, [panel["title"] for panel in page["panels"] if panel["gridPos"]["y"] == top]


def test_pages_link_to_each_other_and_to_the_runbook(page: dict[str, Any]) -> None:
    to_others, to_runbook = page["links"]
    assert to_others["type"] == "dashboards"
    assert set(to_others["tags"]) <= set(page["tags"])
    assert to_runbook["url"] == "/public/runbook.md"
    assert page["refresh"] == "30s"
    assert not page["editable"]


def test_every_panel_that_names_an_alert_names_one_that_exists() -> None:
    rules = [rule for path in RULES.glob("*.yml") for rule in _rules(path.read_text(encoding="utf-8"))]
    alerts = {rule["alert"] for rule in rules if "alert" in rule}
    named = {panel.alert for page in PAGES for panel in page.panels if panel.alert is not None}
    assert named <= alerts


def test_the_home_page_has_the_six_stages_in_order() -> None:
    home = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["grafana"]
    path = home["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert path.endswith(f"/{PAGES[0].name}.json")
    assert [row.title.partition(":")[0] for row in PAGES[0].rows] == ["Is it whole?", *STAGES]


def test_grafana_is_provisioned_with_dashboards_and_prometheus() -> None:
    grafana = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["grafana"]
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in grafana["volumes"])
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/archive.yml").read_text("utf-8"))["providers"]
    assert provider["options"]["path"] == mounts["./monitoring/grafana/dashboards"]
    assert not provider["allowUiUpdates"]
    assert provider["disableDeletion"]
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yml").read_text("utf-8"))[
        "datasources"
    ]
    assert (source["uid"], source["type"], source["editable"]) == ("prometheus", "prometheus", False)
    scrape = yaml.safe_load((MONITORING / "prometheus/prometheus.yml").read_text("utf-8"))["global"]
    assert source["jsonData"]["timeInterval"] == scrape["scrape_interval"] == "15s"
    assert mounts["./monitoring/runbook.md"].endswith("/public/runbook.md")


def test_grafana_requires_a_login() -> None:
    grafana = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["grafana"]
    environment = grafana["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"].endswith(f"/{grafana['secrets'][0]}")
    assert "GF_SECURITY_ADMIN_PASSWORD" not in environment


def _rules(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
