"""The home page: is it whole, and then one row a word, from receive to commit."""

from __future__ import annotations

from services.monitoring.dashboards.ingester_rows import BUFFER, RECEIVE, VALIDATE
from services.monitoring.dashboards.page import Page
from services.monitoring.dashboards.whole import WHOLE
from services.monitoring.dashboards.writer_rows import CLAIM, COMMIT, ENCODE

PIPELINE = Page(
    "pipeline",
    "Pipeline",
    "Whether the archive is whole, and the six words from left to right: receive, validate, buffer, claim, "
    "encode, commit.",
    (WHOLE, RECEIVE, VALIDATE, BUFFER, CLAIM, ENCODE, COMMIT),
)
