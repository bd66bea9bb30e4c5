"""Render a page as Grafana's JSON, by Grafana's own models; the same page gives the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as models
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as models_of_prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.monitoring.dashboards.page import Page, Panel, Query

SOURCE = model.DataSourceRef(type_val="prometheus", uid="prometheus")
TAG = "archive"
REFRESH = "30s"
LAST = "now-3h"
RUNBOOK = "/public/runbook.md"
"""Address at which Grafana serves monitoring/runbook.md (see docker-compose.yml)."""
Builder = stat.Panel | timeseries.Panel | table.Panel


def rendered(page: Page) -> str:
    """Return the content of a page's file."""
    board = (
        dashboard.Dashboard(page.title)
        .uid(f"archive-{page.name}")
        .description(page.description)
        .tags([TAG])
        .readonly()
        .refresh(REFRESH)
        .time(LAST, "now")
        .timezone("utc")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .timepicker(dashboard.TimePicker().refresh_intervals(["5s", "15s", REFRESH, "1m", "5m"]))
        .link(_link(dashboard.DashboardLink("Dashboards").type(model.DashboardLinkType.DASHBOARDS)))
        .link(dashboard.DashboardLink("Runbook").url(RUNBOOK).icon("doc").target_blank(target_blank=True))
        .annotation(_alerts())
    )
    number = 0
    for row in page.rows:
        number += 1
        board = board.with_row(dashboard.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            board = board.with_panel(_panel(panel).id(number))
    return json.dumps(board.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _link(link: dashboard.DashboardLink) -> dashboard.DashboardLink:
    return link.tags([TAG]).keep_time(keep_time=True)


def _alerts() -> dashboard.AnnotationQuery:
    """Return the annotation that marks firing alerts in every graph."""
    return (
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(SOURCE)
        .enable(enable=True)
        .icon_color("red")
        .expr('ALERTS{alertstate="firing", alertname!="Watchdog"}')
    )


def _panel(panel: Panel) -> Builder:
    of_kind: dict[str, Callable[[Panel], Builder]] = {"stat": _stat, "graph": _graph, "table": _table}
    builder = (
        of_kind[panel.kind](panel)
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(panel.width)
        .height(panel.height)
        .thresholds(
            dashboard.ThresholdsConfig()
            .mode(model.ThresholdsMode.ABSOLUTE)
            .steps([model.Threshold(value=value, color=color) for value, color in panel.steps])
        )
    )
    if panel.decimals is not None:
        builder = builder.decimals(panel.decimals)
    if panel.at_most is not None:
        builder = builder.max(panel.at_most)
    if panel.words:
        builder = builder.mappings([_words(panel)])
    if panel.alert is not None:
        chapter = f"{RUNBOOK}#{panel.alert.lower()}"
        link = dashboard.DashboardLink(f"Runbook: {panel.alert}").url(chapter).target_blank(target_blank=True)
        builder = builder.links([link])
    for place, query in enumerate(panel.queries):
        builder = builder.with_target(_target(panel, query, chr(ord("A") + place)))
    return builder


def _stat(panel: Panel) -> stat.Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    return (
        stat.Panel()
        .reduce_options(last)
        .graph_mode(models.BigValueGraphMode.AREA if not panel.words else models.BigValueGraphMode.NONE)
        .color_mode(models.BigValueColorMode.BACKGROUND)
        .text_mode(models.BigValueTextMode.AUTO)
        .no_value("no data")
    )


def _graph(panel: Panel) -> timeseries.Panel:
    graph = (
        timeseries.Panel()
        .legend(
            common.VizLegendOptions()
            .display_mode(models.LegendDisplayMode.LIST)
            .placement(models.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(
            common.VizTooltipOptions().mode(models.TooltipDisplayMode.MULTI).sort(models.SortOrder.DESCENDING)
        )
        .fill_opacity(40 if panel.stacked else 8)
        .line_width(1)
        .show_points(models.VisibilityMode.NEVER)
    )
    if panel.at_least is not None:
        graph = graph.axis_soft_min(panel.at_least)
    if panel.stacked:
        graph = graph.stacking(common.StackingConfig().mode(models.StackingMode.NORMAL))
    if len(panel.steps) > 1:
        graph = graph.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(models.GraphThresholdsStyleMode.DASHED)
        )
    return graph


def _table(panel: Panel) -> table.Panel:
    """One row a label set, one column a query, named by its legend."""
    names = {f"Value #{chr(ord('A') + place)}": query.legend for place, query in enumerate(panel.queries)}
    merge = model.DataTransformerConfig(id_val="merge", options={})
    organize = model.DataTransformerConfig(
        id_val="organize", options={"excludeByName": {"Time": True}, "renameByName": names}
    )
    return table.Panel().transformations([merge, organize])


def _words(panel: Panel) -> model.ValueMap:
    return model.ValueMap(
        options={
            f"{value:g}": model.ValueMappingResult(text=word, color=color)
            for value, word, color in panel.words
        }
    )


def _target(panel: Panel, query: Query, ref: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE)
    if panel.kind == "table":
        return target.format(models_of_prometheus.PromQueryFormat.TABLE).instant()
    target = target.legend_format(query.legend)
    return target.instant() if query.instant else target.range()
