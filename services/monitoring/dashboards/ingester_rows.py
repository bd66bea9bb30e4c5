"""The rows of the ingester's words: receive, validate, buffer."""

from __future__ import annotations

from services.monitoring.dashboards.page import GREEN, RED, YELLOW, Panel, Query, Row, per_second, quantiles

RECEIVE = Row(
    "receive: what Jetstream sends",
    (
        Panel(
            "Frames received",
            "Frames a second, repeats included. Flat at zero is silence: look at `connected` and the host.",
            "eps",
            (Query(per_second("archive_receive_frames_total"), "frames"),),
            flows=True,
            alert="IngesterSilent",
        ),
        Panel(
            "Bytes received",
            "Bytes of those frames a second, as they came over the wire, decompressed.",
            "Bps",
            (Query(per_second("archive_receive_bytes_total"), "bytes"),),
            flows=True,
        ),
        Panel(
            "Connected, and to whom",
            "1 while a host is connected; a line that ends and another that begins is a fail-over.",
            "short",
            (
                Query("max(archive_receive_connected)", "connected"),
                Query("max by (host) (archive_receive_host)", "{{host}}"),
            ),
            at_most=1.0,
            alert="IngesterDisconnected",
        ),
        Panel(
            "Lag and age of the cursor",
            "How far behind the network we are, and how old the place is where we would resume. Both fall "
            "while we catch up.",
            "s",
            (
                Query("max(archive_receive_lag_seconds)", "lag"),
                Query("max(archive_receive_cursor_age_seconds)", "cursor"),
            ),
            alert="CursorTooOld",
        ),
        Panel(
            "Silence",
            "How long ago the last frame came, and when we leave a silent host for another.",
            "s",
            (
                Query("max(archive_receive_quiet_seconds)", "silent for"),
                Query("max(archive_receive_quiet_limit_seconds)", "limit"),
            ),
            alert="IngesterSilent",
        ),
        Panel(
            "Connections that ended",
            "In the last 15 minutes, by reason. A few an hour are the host's own; a steady rise is an "
            "unsteady host or network.",
            "short",
            (Query("sum by (reason) (increase(archive_receive_reconnects_total[15m]))", "{{reason}}"),),
            stacked=True,
            alert="IngesterDisconnected",
        ),
        Panel(
            "Gaps",
            "Holes recorded in the last hour, by reason, noted by the ingester or by the writer.",
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
            "Seconds of event time inside the holes that the ingester recorded in the last hour.",
            "s",
            (Query("sum(increase(archive_receive_gap_seconds_total[1h]))", "in doubt"),),
            alert="GapRecorded",
        ),
    ),
)

VALIDATE = Row(
    "validate: what of it can be used",
    (
        Panel(
            "Events by stream",
            "Events a second that passed validation, repeats included.",
            "eps",
            (Query(per_second("archive_validate_events_total", "stream"), "{{stream}}"),),
            stacked=True,
            flows=True,
            alert="CollectionSilent",
        ),
        Panel(
            "Frames set aside",
            "Rejects a second by reason; each is kept in `rejects`. A rise means that upstream changed or "
            "misbehaves.",
            "eps",
            (Query(per_second("archive_validate_rejects_total", "reason"), "{{reason}}"),),
            stacked=True,
            alert="RejectRatioHigh",
        ),
        Panel(
            "Repeats dropped",
            "Events a second that we had already; a short hill after each reconnect is as it should be.",
            "eps",
            (Query(per_second("archive_validate_duplicates_total"), "repeats"),),
        ),
        Panel(
            "Identities remembered",
            "What repeats are recognised by, and how many were forgotten early for want of room in the last "
            "hour; after that a long rewind may double events.",
            "short",
            (
                Query("max(archive_validate_dedup_events)", "remembered"),
                Query(
                    "sum(increase(archive_validate_dedup_evicted_by_size_total[1h]))",
                    "pushes forgotten early",
                ),
            ),
        ),
    ),
)

BUFFER = Row(
    "buffer: what waits in Redis",
    (
        Panel(
            "Pushed by stream",
            "Elements a second that Redis has acknowledged, which means that they are on its disk.",
            "eps",
            (Query(per_second("archive_buffer_pushed_total", "stream"), "{{stream}}"),),
            stacked=True,
            flows=True,
        ),
        Panel(
            "From receipt to Redis",
            "Time from a frame's receipt to Redis' acknowledgement, the oldest frame of each push. A rise "
            "means a slow disk under Redis.",
            "s",
            quantiles("archive_buffer_latency_seconds"),
        ),
        Panel(
            "Waiting by stream",
            "Events in Redis that are not committed yet: a saw-tooth of the writer's interval. A slope that "
            "does not come down is a stalled writer.",
            "short",
            (Query("max by (stream) (archive_buffer_depth_events)", "{{stream}}"),),
            stacked=True,
            alert="WriterStalled",
        ),
        Panel(
            "Redis' memory",
            "Share of maxmemory in use. The ingester pauses at 75 %, and comes back below 55 %.",
            "percentunit",
            (
                Query("max(archive_buffer_memory_share)", "seen by the ingester"),
                Query("max(archive:redis_memory:ratio)", "said by Redis"),
            ),
            steps=((None, GREEN), (0.65, YELLOW), (0.8, RED)),
            alert="RedisMemoryHigh",
        ),
        Panel(
            "Hours of Redis left",
            "Until the ingester pauses, if nothing were committed from now on and as much came as in the "
            "last ten minutes.",
            "h",
            (Query("min(archive:redis_hours_left)", "left"),),
            width=8,
            alert="BufferFull",
        ),
        Panel(
            "Room where the ingester looks",
            "Bytes free on the disks under Redis and the archive, and the reserve below which it pauses.",
            "bytes",
            (
                Query("min by (disk) (archive_receive_disk_free_bytes)", "{{disk}}"),
                Query("max(archive_receive_disk_reserve_bytes)", "reserve"),
            ),
            width=8,
            alert="DiskLow",
        ),
        Panel(
            "Begun again",
            "How often the ingester began again from the stored cursor in the last hour; a rise means an "
            "unsteady Redis.",
            "short",
            (Query("sum(increase(archive_buffer_resets_total[1h]))", "resets"),),
            width=8,
        ),
    ),
)
