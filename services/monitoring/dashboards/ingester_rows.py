"""The rows of the ingester's stages: receive, validate, buffer."""

from __future__ import annotations

from services.monitoring.dashboards.page import GREEN, RED, YELLOW, Panel, Query, Row, per_second, quantiles

RECEIVE = Row(
    "receive: frames from Jetstream",
    (
        Panel(
            "Frames received",
            "Frames a second, repeated ones included. Zero is silence: see `connected` and the host.",
            "eps",
            (Query(per_second("archive_receive_frames_total"), "frames"),),
            flows=True,
            alert="IngesterSilent",
        ),
        Panel(
            "Bytes received",
            "Bytes of those frames a second, decompressed.",
            "Bps",
            (Query(per_second("archive_receive_bytes_total"), "bytes"),),
            flows=True,
        ),
        Panel(
            "Connection and host",
            "1 while connected; one line ends and another begins at a fail-over.",
            "short",
            (
                Query("max(archive_receive_connected)", "connected"),
                Query("max by (host) (archive_receive_host)", "{{host}}"),
            ),
            at_most=1.0,
            alert="IngesterDisconnected",
        ),
        Panel(
            "Lag and cursor age",
            "Time behind the network, and age of the cursor to resume from. Both fall while the ingester "
            "catches up.",
            "s",
            (
                Query("max(archive_receive_lag_seconds)", "lag"),
                Query("max(archive_receive_cursor_age_seconds)", "cursor"),
            ),
            alert="CursorTooOld",
        ),
        Panel(
            "Silence",
            "Time since the last frame, and the limit after which the ingester changes hosts.",
            "s",
            (
                Query("max(archive_receive_quiet_seconds)", "silence"),
                Query("max(archive_receive_quiet_limit_seconds)", "limit"),
            ),
            alert="IngesterSilent",
        ),
        Panel(
            "Ended connections",
            "In the last 15 minutes, by reason. Hosts close some every hour; a rise means an unstable host "
            "or network.",
            "short",
            (Query("sum by (reason) (increase(archive_receive_reconnects_total[15m]))", "{{reason}}"),),
            stacked=True,
            alert="IngesterDisconnected",
        ),
        Panel(
            "Gaps",
            "Gaps recorded in the last hour by the ingester or the writer, by reason.",
            "short",
            (
                Query("sum by (reason) (increase(archive_receive_gaps_total[1h]))", "{{reason}}"),
                Query("sum by (reason) (increase(archive_claim_gaps_total[1h]))", "{{reason}} (writer)"),
            ),
            stacked=True,
            alert="GapRecorded",
        ),
        Panel(
            "Time inside gaps",
            "Seconds of event time within the gaps that the ingester recorded in the last hour.",
            "s",
            (Query("sum(increase(archive_receive_gap_seconds_total[1h]))", "in gaps"),),
            alert="GapRecorded",
        ),
    ),
)

VALIDATE = Row(
    "validate: valid events and rejects",
    (
        Panel(
            "Events by stream",
            "Events a second that passed validation, duplicates included.",
            "eps",
            (Query(per_second("archive_validate_events_total", "stream"), "{{stream}}"),),
            stacked=True,
            flows=True,
            alert="CollectionSilent",
        ),
        Panel(
            "Rejected frames",
            "Rejects a second by reason; each is kept in `rejects`. A rise means that upstream changed its "
            "format, or that a host misbehaves.",
            "eps",
            (Query(per_second("archive_validate_rejects_total", "reason"), "{{reason}}"),),
            stacked=True,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Duplicates dropped",
            "Events a second that were received before; a short rise after each reconnect is normal.",
            "eps",
            (Query(per_second("archive_validate_duplicates_total"), "duplicates"),),
        ),
        Panel(
            "Dedup window",
            "Event identities in the dedup window, and pushes evicted from it by size in the last hour; "
            "after an eviction a long rewind may store duplicates.",
            "short",
            (
                Query("max(archive_validate_dedup_events)", "identities"),
                Query(
                    "sum(increase(archive_validate_dedup_evicted_by_size_total[1h]))",
                    "pushes evicted",
                ),
            ),
        ),
    ),
)

BUFFER = Row(
    "buffer: events in Redis",
    (
        Panel(
            "Pushed by stream",
            "Events a second that Redis has acknowledged, which means that they are on its disk.",
            "eps",
            (Query(per_second("archive_buffer_pushed_total", "stream"), "{{stream}}"),),
            stacked=True,
            flows=True,
        ),
        Panel(
            "From receipt to Redis",
            "Time from the receipt of the oldest frame of a push to Redis' acknowledgement. A rise means a "
            "slow disk of Redis.",
            "s",
            quantiles("archive_buffer_latency_seconds"),
        ),
        Panel(
            "Waiting by stream",
            "Events in Redis that are not committed yet: a saw-tooth of the writer's interval. A lasting "
            "rise means a stalled writer.",
            "short",
            (Query("max by (stream) (archive_buffer_depth_events)", "{{stream}}"),),
            stacked=True,
            alert="WriterStalled",
        ),
        Panel(
            "Redis' memory",
            "Share of maxmemory in use. The ingester pauses at 75 % and resumes below 55 %.",
            "percentunit",
            (
                Query("max(archive_buffer_memory_share)", "ingester"),
                Query("max(archive:redis_memory:ratio)", "Redis"),
            ),
            steps=((None, GREEN), (0.65, YELLOW), (0.8, RED)),
            alert="RedisMemoryHigh",
        ),
        Panel(
            "Hours of Redis left",
            "Hours until the ingester pauses if nothing more is committed, at the rate of the last ten "
            "minutes.",
            "h",
            (Query("min(archive:redis_hours_left)", "left"),),
            width=8,
            alert="BufferFull",
        ),
        Panel(
            "Free space on watched disks",
            "Free bytes on the disks of Redis and the archive, and the reserve below which the ingester "
            "pauses.",
            "bytes",
            (
                Query("min by (disk) (archive_receive_disk_free_bytes)", "{{disk}}"),
                Query("max(archive_receive_disk_reserve_bytes)", "reserve"),
            ),
            width=8,
            alert="DiskLow",
        ),
        Panel(
            "Resets to the stored cursor",
            "How often the ingester restarted from the stored cursor in the last hour; a rise means an "
            "unstable Redis.",
            "short",
            (Query("sum(increase(archive_buffer_resets_total[1h]))", "resets"),),
            width=8,
        ),
    ),
)
