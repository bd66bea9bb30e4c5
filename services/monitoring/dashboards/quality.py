"""What the data is like: how much of it, what was set aside and why, and which time it covers."""

from __future__ import annotations

from services.monitoring.dashboards.page import BLUE, GREEN, RED, YELLOW, Page, Panel, Query, Row, per_second

COVERAGE = Row(
    "Coverage",
    (
        Panel(
            "CoverageRow, 24 h",
            "Share of the last 24 hours outside every recorded gap. Below 100 % `gaps` says which part is in "
            "doubt.",
            "percentunit",
            (
                Query(
                    "clamp_min(1 - sum(increase(archive_receive_gap_seconds_total[24h])) / 86400, 0)",
                    "covered",
                    instant=True,
                ),
            ),
            kind="stat",
            width=4,
            steps=((None, RED), (0.999, YELLOW), (1.0, GREEN)),
            decimals=2,
            alert="GapRecorded",
        ),
        Panel(
            "CoverageRow, 30 d",
            "The same over the 30 days that Prometheus remembers.",
            "percentunit",
            (
                Query(
                    "clamp_min(1 - sum(increase(archive_receive_gap_seconds_total[30d])) / 2592000, 0)",
                    "covered",
                    instant=True,
                ),
            ),
            kind="stat",
            width=4,
            steps=((None, RED), (0.999, YELLOW), (1.0, GREEN)),
            decimals=3,
            alert="GapRecorded",
        ),
        Panel(
            "Rows, 24 h",
            "Rows committed in the last 24 hours, all streams together.",
            "short",
            (Query("sum(increase(archive_commit_rows_total[24h]))", "rows", instant=True),),
            kind="stat",
            width=4,
            steps=((None, BLUE),),
            decimals=1,
        ),
        Panel(
            "Set aside",
            "Share of frames received that could not be used, over five minutes.",
            "percentunit",
            (Query("max(archive:validate_rejects:ratio5m)", "rejects"),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (0.001, YELLOW), (0.01, RED)),
            decimals=3,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Repeats",
            "Share of frames received that we had already, over an hour; high only after a reconnect.",
            "percentunit",
            (
                Query(
                    "sum(increase(archive_validate_duplicates_total[1h])) "
                    "/ sum(increase(archive_receive_frames_total[1h]))",
                    "repeats",
                ),
            ),
            kind="stat",
            width=4,
            steps=((None, BLUE),),
            decimals=2,
        ),
        Panel(
            "Saved",
            "Share of the JSON's bytes that Parquet does not need, all streams together, over an hour.",
            "percentunit",
            (
                Query(
                    "1 - sum(increase(archive_commit_stored_bytes_total[1h])) "
                    "/ sum(increase(archive_commit_raw_bytes_total[1h]))",
                    "saved",
                ),
            ),
            kind="stat",
            width=4,
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
            "Each stream's part of what passed validation: the network's mix changes slowly, so a step is "
            "news.",
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
            "Clock minus the time of the newest event in the archive. Rare streams lie behind because they "
            "are rare.",
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
    "What is in doubt",
    (
        Panel(
            "Set aside, by reason",
            "Frames an hour that could not be used; each is kept in `rejects` with its reason.",
            "short",
            (Query("sum by (reason) (increase(archive_validate_rejects_total[1h]))", "{{reason}}"),),
            width=8,
            stacked=True,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Gaps, by reason",
            "Holes an hour that cannot be excluded; each is a row in `gaps`.",
            "short",
            (Query("sum by (reason) (increase(archive_receive_gaps_total[1h]))", "{{reason}}"),),
            width=8,
            stacked=True,
            alert="GapRecorded",
        ),
        Panel(
            "Unaccounted, by stream",
            "Events in Redis and archive beyond those pushed: below 0 is loss, above 0 doubling, 0 is right.",
            "short",
            (Query("sum by (stream) (archive_unaccounted_events)", "{{stream}}"),),
            width=8,
            at_least=None,
            alert="UnaccountedEvents",
        ),
        Panel(
            "Values of a wrong type",
            "An hour: kept as they are in `extra`. A rise means that a lexicon changed.",
            "short",
            (Query("sum(increase(archive_encode_type_mismatches_total[1h]))", "type_mismatches"),),
            width=8,
        ),
        Panel(
            "Could not be encoded",
            "An hour: set aside by the writer. Any is a defect of ours.",
            "short",
            (Query("sum(increase(archive_encode_rejects_total[1h]))", "set aside"),),
            width=8,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Does it add up?",
            "Frames a second received, and where they went: repeats, and elements pushed (rejects and gap "
            "rows included). The lines lie on each other, but for frames that were thrown away unread when a "
            "connection was ended on purpose; those come again.",
            "eps",
            (
                Query(per_second("archive_receive_frames_total"), "received"),
                Query(
                    f"{per_second('archive_buffer_pushed_total')} + "
                    f"{per_second('archive_validate_duplicates_total')}",
                    "pushed or repeats",
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
    "How much there is, what was set aside and why, and which time is covered.",
    (COVERAGE, RECORDS, DOUBT),
)
