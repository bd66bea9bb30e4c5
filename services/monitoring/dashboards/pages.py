"""Every dashboard; the first is what Grafana opens with."""

from __future__ import annotations

from services.monitoring.dashboards.host import HOST
from services.monitoring.dashboards.pipeline import PIPELINE
from services.monitoring.dashboards.quality import QUALITY
from services.monitoring.dashboards.redis_server import REDIS

PAGES = (PIPELINE, QUALITY, REDIS, HOST)
