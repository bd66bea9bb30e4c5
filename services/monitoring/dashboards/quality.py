"""Quality of the data: coverage, volume, rejects and gaps."""

from __future__ import annotations

from services.monitoring.dashboards.page import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Page,
    Panel,
    Query,
    Row,
    per_second,
    stat,
)

COVERAGE = Row(
    "Coverage",
    (
        stat(
            "Coverage, 24 h",
            "Share of the last 24 hours outside of all recorded gaps. Below 100 % `gaps` has the bounds.",
            "percentunit",
            (
                Query(
                    "clamp_min(1 - sum(increase(archive_receive_gap_seconds_total[24h])) / 86400, 0)",
                    "covered",
                    instant=True,
                ),
            ),
            steps=((None, RED), (0.999, YELLOW), (1.0, GREEN)),
            decimals=2,
            alert="GapRecorded",
        ),
        stat(
            "Coverage, 30 d",
            "The same over the 30 days that Prometheus keeps.",
            "percentunit",
            (
                Query(
                    "clamp_min(1 - sum(increase(archive_receive_gap_seconds_total[30d])) / 2592000, 0)",
                    "covered",
                    instant=True,
                ),
            ),
            steps=((None, RED), (0.999, YELLOW), (1.0, GREEN)),
            decimals=3,
            alert="GapRecorded",
        ),
        stat(
            "Rows, 24 h",
            "Rows committed in the last 24 hours, all streams together.",
            "short",
            (Query("sum(increase(archive_commit_rows_total[24h]))", "rows", instant=True),),
            steps=((None, BLUE),),
            decimals=1,
        ),
        stat(
            "Rejected",
            "Share of received frames that were rejected, over five minutes.",
            "percentunit",
            (Query("max(archive:validate_rejects:ratio5m)", "rejects"),),
            steps=((None, GREEN), (0.001, YELLOW), (0.01, RED)),
            decimals=3,
            alert="RejectRatioHigh",
        ),
        stat(
            "Duplicates",
            "Share of received frames that were duplicates, over an hour; high only after a reconnect.",
            "percentunit",
            (
                Query(
                    "sum(increase(archive_validate_duplicates_total[1h])) / "
                    "sum(increase(archive_receive_frames_total[1h]))",
                    "duplicates",
                ),
            ),
            steps=((None, BLUE),),
            decimals=2,
        ),
        stat(
            "Bytes saved",
            "Share of the bytes of JSON that Parquet saves, all streams together, over an hour.",
            "percentunit",
            (
                Query(
                    "1 - sum(increase(archive_commit_stored_bytes_total[1h])) / "
                    "sum(increase(archive_commit_raw_bytes_total[1h]))",
                    "saved",
                ),
            ),
            steps=((None, RED), (0.6, YELLOW), (0.75, GREEN)),
            decimals=1,
            alert="CompressionPoor",
        ),
    ),
)

RECORDS = Row(
    "Records",
    (
        Panel(
            "Rows an hour by stream",
            "Rows committed in the hour before each point.",
            "short",
            (Query("sum by (stream) (increase(archive_commit_rows_total[1h]))", "{{stream}}"),),
            width=8,
            stacked=True,
            alert="CollectionSilent",
        ),
        Panel(
            "Share by stream",
            "Share of each stream in the valid events. The network's mix changes slowly; a step has a cause.",
            "percentunit",
            (
                Query(
                    f"{per_second('archive_validate_events_total', 'stream')} "
                    f"/ scalar({per_second('archive_validate_events_total')})",
                    "{{stream}}",
                ),
            ),
            width=8,
            stacked=True,
            at_most=1.0,
            alert="CollectionSilent",
        ),
        Panel(
            "Behind, by stream",
            "Clock minus the time of the newest event in the archive. Rare streams are behind because "
            "their events are rare.",
            "s",
            (
                Query(
                    "time() - max by (stream) (archive_commit_newest_event_timestamp_seconds)", "{{stream}}"
                ),
            ),
            width=8,
            alert="WriterStalled",
        ),
    ),
)

DOUBT = Row(
    "Rejects, gaps and accounting",
    (
        Panel(
            "Rejects by reason",
            "Rejected frames an hour; each is kept in `rejects` with its reason.",
            "short",
            (Query("sum by (reason) (increase(archive_validate_rejects_total[1h]))", "{{reason}}"),),
            width=8,
            stacked=True,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Gaps by reason",
            "Recorded gaps an hour; each is a row in `gaps`.",
            "short",
            (Query("sum by (reason) (increase(archive_receive_gaps_total[1h]))", "{{reason}}"),),
            width=8,
            stacked=True,
            alert="GapRecorded",
        ),
        Panel(
            "Unaccounted by stream",
            "Events in Redis and the archive minus those pushed: 0 is right, below 0 is loss, above 0 "
            "duplicates.",
            "short",
            (Query("sum by (stream) (archive_unaccounted_events)", "{{stream}}"),),
            width=8,
            at_least=None,
            alert="UnaccountedEvents",
        ),
        Panel(
            "Values of a wrong type",
            "Values an hour, kept unchanged in `extra`. A rise means that a lexicon changed.",
            "short",
            (Query("sum(increase(archive_encode_type_mismatches_total[1h]))", "type mismatches"),),
            width=8,
        ),
        Panel(
            "Could not be encoded",
            "Events an hour that the writer rejected. Any is a defect of this software.",
            "short",
            (Query("sum(increase(archive_encode_rejects_total[1h]))", "rejects"),),
            width=8,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Does it add up?",
            "Frames a second received, and the sum of duplicates and pushed events (rejects and gap rows "
            "included). The lines are equal, except for frames that were dropped unread when the ingester "
            "closed a connection; those are received again.",
            "eps",
            (
                Query(per_second("archive_receive_frames_total"), "received"),
                Query(
                    f"{per_second('archive_buffer_pushed_total')} + "
                    f"{per_second('archive_validate_duplicates_total')}",
                    "pushed or duplicates",
                ),
            ),
            width=8,
            flows=True,
            alert="UnaccountedEvents",
        ),
    ),
)

QUALITY = Page(
    "quality",
    "Data quality",
    "Coverage, volume, rejects and gaps.",
    (COVERAGE, RECORDS, DOUBT),
)
