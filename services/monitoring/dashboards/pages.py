"""The home page Pipeline, and the list of all dashboards; the first is the one that Grafana opens with."""

from __future__ import annotations

from services.monitoring.dashboards.host import HOST
from services.monitoring.dashboards.ingester_rows import BUFFER, RECEIVE, VALIDATE
from services.monitoring.dashboards.page import GREEN, RED, YELLOW, Page, Query, Row, stat
from services.monitoring.dashboards.quality import QUALITY
from services.monitoring.dashboards.redis_server import REDIS
from services.monitoring.dashboards.writer_rows import CLAIM, COMMIT, ENCODE

NONE_IS_GREEN = ((None, GREEN), (1.0, RED))


def firing(severity: str) -> str:
    """Return the number of firing alerts of a severity; by way of the Watchdog, none is 0 and not no data."""
    watchdog = 'count(ALERTS{alertname="Watchdog", alertstate="firing"})'
    return f'count(ALERTS{{alertstate="firing", severity=~"{severity}|none"}}) - {watchdog}'


WHOLE = Row(
    "Is it whole?",
    (
        stat(
            "Unaccounted",
            "Events that were pushed and are neither in Redis nor in the archive, or are there twice. Any "
            "value but 0 is a defect: loss or duplicates. NaN while the writer still counts the archive.",
            "short",
            (Query("sum(abs(archive_unaccounted_events))", "events"),),
            width=3,
            steps=NONE_IS_GREEN,
            decimals=0,
            alert="UnaccountedEvents",
        ),
        stat(
            "Gaps, 24 h",
            "Gaps that cannot be excluded, recorded in the last 24 hours; each is a row in `gaps` with "
            "bounds and reason. The start of the archive does not count.",
            "short",
            (
                Query(
                    'round(sum(increase(archive_receive_gaps_total{reason!="archive_start"}[24h])))',
                    "gaps",
                    instant=True,
                ),
            ),
            width=3,
            steps=NONE_IS_GREEN,
            decimals=0,
            alert="GapRecorded",
        ),
        stat(
            "Lag",
            "Clock minus the time of the newest received event. Seconds are normal; minutes mean that the "
            "ingester catches up after an outage, or that the host itself lags.",
            "s",
            (Query("max(archive_receive_lag_seconds)", "lag"),),
            width=3,
            steps=((None, GREEN), (60.0, YELLOW), (600.0, RED)),
            decimals=1,
        ),
        stat(
            "Look-back used",
            "Age of the stored cursor as a share of Jetstream's look-back. Beyond 100 % events are lost: "
            "remove the cause before that.",
            "percentunit",
            (Query("max(archive:receive_cursor_age:ratio)", "used"),),
            width=3,
            steps=((None, GREEN), (0.25, YELLOW), (0.5, RED)),
            decimals=1,
            alert="CursorTooOld",
        ),
        stat(
            "Paused",
            "Whether the ingester is paused, by design, because Redis or a disk is nearly full. Nothing is "
            "lost within the look-back.",
            "short",
            (Query("max(archive_receive_paused)", "paused"),),
            width=3,
            steps=NONE_IS_GREEN,
            words=((0.0, "no", GREEN), (1.0, "PAUSED", RED)),
            alert="BufferFull",
        ),
        stat(
            "Behind, committed",
            "Clock minus the time of the newest event in the archive. Up to one writer interval is normal.",
            "s",
            (Query("time() - max(archive_commit_newest_event_timestamp_seconds)", "behind"),),
            width=3,
            steps=((None, GREEN), (600.0, YELLOW), (1800.0, RED)),
            decimals=0,
            alert="WriterStalled",
        ),
        stat(
            "Critical alerts",
            "Firing alerts that notify people at once. No data: Prometheus does not evaluate its rules, "
            "which is worse than any alert.",
            "short",
            (Query(firing("critical"), "firing"),),
            width=3,
            steps=NONE_IS_GREEN,
            decimals=0,
            alert="Watchdog",
        ),
        stat(
            "Warnings",
            "Firing alerts that can wait; Prometheus and Alertmanager list them.",
            "short",
            (Query(firing("warning"), "firing"),),
            width=3,
            steps=((None, GREEN), (1.0, YELLOW)),
            decimals=0,
        ),
    ),
)

PIPELINE = Page(
    "pipeline",
    "Pipeline",
    "Whether the archive is whole, and the six stages in order: receive, validate, buffer, claim, encode, "
    "commit.",
    (WHOLE, RECEIVE, VALIDATE, BUFFER, CLAIM, ENCODE, COMMIT),
)
PAGES = (PIPELINE, QUALITY, REDIS, HOST)
