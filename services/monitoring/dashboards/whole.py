"""The home page's first line, which tells whether the archive is whole."""

from __future__ import annotations

from services.monitoring.dashboards.page import GREEN, RED, YELLOW, Panel, Query, Row

NONE_IS_GREEN = ((None, GREEN), (1.0, RED))


def firing(severity: str) -> str:
    """Return how many alerts of a severity fire; the Watchdog always does, so none is 0 and not nothing."""
    watchdog = 'count(ALERTS{alertname="Watchdog", alertstate="firing"})'
    return f'count(ALERTS{{alertstate="firing", severity=~"{severity}|none"}}) - {watchdog}'


WHOLE = Row(
    "Is it whole?",
    (
        Panel(
            "Unaccounted",
            "Events that were pushed and are neither in Redis nor in the archive, or are there twice. "
            "Anything but 0 is a defect: data was lost or doubled. NaN while the archive is counted.",
            "short",
            (Query("sum(abs(archive_unaccounted_events))", "events"),),
            kind="stat",
            width=3,
            steps=NONE_IS_GREEN,
            decimals=0,
            alert="UnaccountedEvents",
        ),
        Panel(
            "Gaps, 24 h",
            "Holes that could not be excluded in the last 24 hours; each is a row in `gaps` that says from "
            "when to when and why. An archive's start does not count.",
            "short",
            (
                Query(
                    'round(sum(increase(archive_receive_gaps_total{reason!="archive_start"}[24h])))',
                    "gaps",
                    instant=True,
                ),
            ),
            kind="stat",
            width=3,
            steps=NONE_IS_GREEN,
            decimals=0,
            alert="GapRecorded",
        ),
        Panel(
            "Lag",
            "Clock minus the time of the newest event received. Seconds are normal; minutes mean that we "
            "catch up after an outage, or that the host itself lags.",
            "s",
            (Query("max(archive_receive_lag_seconds)", "lag"),),
            kind="stat",
            width=3,
            steps=((None, GREEN), (60.0, YELLOW), (600.0, RED)),
            decimals=1,
        ),
        Panel(
            "Look-back used",
            "How much of Jetstream's look-back the stored cursor's age has used up. At 100 % events are lost "
            "for good: mend whatever holds us back before that.",
            "percentunit",
            (Query("max(archive:receive_cursor_age:ratio)", "used"),),
            kind="stat",
            width=3,
            steps=((None, GREEN), (0.25, YELLOW), (0.5, RED)),
            decimals=1,
            alert="CursorTooOld",
        ),
        Panel(
            "Paused",
            "Whether we do not receive on purpose, because Redis or a disk is nearly full. Nothing is lost "
            "while the look-back lasts.",
            "short",
            (Query("max(archive_receive_paused)", "paused"),),
            kind="stat",
            width=3,
            steps=NONE_IS_GREEN,
            words=((0.0, "no", GREEN), (1.0, "PAUSED", RED)),
            alert="BufferFull",
        ),
        Panel(
            "Behind, committed",
            "Clock minus the time of the newest event in the archive: what a reader of the files misses. "
            "Up to a writer's interval is normal.",
            "s",
            (Query("time() - max(archive_commit_newest_event_timestamp_seconds)", "behind"),),
            kind="stat",
            width=3,
            steps=((None, GREEN), (600.0, YELLOW), (1800.0, RED)),
            decimals=0,
            alert="WriterStalled",
        ),
        Panel(
            "Critical alerts",
            "Alerts that call somebody now. No data: Prometheus does not evaluate its rules, which is worse "
            "than any alert.",
            "short",
            (Query(firing("critical"), "firing"),),
            kind="stat",
            width=3,
            steps=NONE_IS_GREEN,
            decimals=0,
            alert="Watchdog",
        ),
        Panel(
            "Warnings",
            "Alerts that can wait for the morning; Prometheus and Alertmanager tell which.",
            "short",
            (Query(firing("warning"), "firing"),),
            kind="stat",
            width=3,
            steps=((None, GREEN), (1.0, YELLOW)),
            decimals=0,
        ),
    ),
)
