"""The rows of the writer's stages: claim, encode, commit."""

from __future__ import annotations

from services.monitoring.dashboards.page import GREEN, RED, Panel, Query, Row, per_second, quantiles

CLAIM = Row(
    "claim: buffers that the writer takes",
    (
        Panel(
            "Claims by stream",
            "Buffers claimed a minute: each stream once in the writer's interval, if it has events.",
            "cpm",
            (Query("60 * " + per_second("archive_claim_taken_total", "stream"), "{{stream}}"),),
            stacked=True,
        ),
        Panel(
            "Longest wait by stream",
            "Observed waiting time of the oldest event. Beyond two intervals the writer is stalled.",
            "s",
            (
                Query("max by (stream) (archive_buffer_wait_seconds)", "{{stream}}"),
                Query("2 * max(archive_claim_interval_seconds) + 60", "alert"),
            ),
            alert="WriterStalled",
        ),
        Panel(
            "Claims recovered",
            "Claims of an earlier writer that this one finished in the last hour: that one was killed or "
            "lost Redis.",
            "short",
            (Query("sum by (stream) (increase(archive_claim_recovered_total[1h]))", "{{stream}}"),),
            stacked=True,
        ),
        Panel(
            "Epoch",
            "Rises by one when Redis lost its data or a backup was restored; duplicates may remain after "
            "such a step.",
            "short",
            (Query("max(archive_claim_epoch)", "epoch"),),
            decimals=0,
        ),
    ),
)

ENCODE = Row(
    "encode: JSON to columns",
    (
        Panel(
            "Time to encode a chunk",
            "A rise at the same traffic means too little processor time.",
            "s",
            quantiles("archive_encode_seconds"),
        ),
        Panel(
            "Chunks encoded",
            "Chunks a minute; a claim is encoded and committed in chunks.",
            "cpm",
            (Query("60 * " + per_second("archive_encode_seconds_count"), "chunks"),),
        ),
        Panel(
            "Encoding's share of a processor",
            "Share of one processor that encoding takes; near 1 the writer cannot keep up.",
            "percentunit",
            (Query(per_second("archive_encode_seconds_sum"), "encoding"),),
            steps=((None, GREEN), (0.8, RED)),
        ),
        Panel(
            "Rejects and type mismatches",
            "In the last hour: events that could not be encoded (a defect of this software), and values of "
            "a wrong type, which are kept in `extra` (a lexicon changed).",
            "short",
            (
                Query("sum(increase(archive_encode_rejects_total[1h]))", "rejects"),
                Query("sum(increase(archive_encode_type_mismatches_total[1h]))", "type mismatches"),
            ),
            alert="RejectRatioHigh",
        ),
    ),
)

COMMIT = Row(
    "commit: durable rows and files",
    (
        Panel(
            "Rows committed by stream",
            "Rows a second: the rate of pushes, one interval later.",
            "rowsps",
            (Query(per_second("archive_commit_rows_total", "stream"), "{{stream}}"),),
            stacked=True,
            flows=True,
        ),
        Panel(
            "Bytes in and out",
            "Bytes of JSON and of the Parquet files made of it, a second.",
            "Bps",
            (
                Query(per_second("archive_commit_raw_bytes_total"), "JSON"),
                Query(per_second("archive_commit_stored_bytes_total"), "Parquet"),
            ),
            flows=True,
        ),
        Panel(
            "Time to make a chunk durable",
            "Write, check, sync and rename. A rise means a slow disk of the archive.",
            "s",
            quantiles("archive_commit_seconds"),
        ),
        Panel(
            "Files, and rounds repeated",
            "Parquet files a minute, and rounds a minute that were repeated: Redis was away or the disk "
            "full.",
            "cpm",
            (
                Query("60 * " + per_second("archive_commit_parts_total"), "files"),
                Query("60 * " + per_second("archive_commit_retries_total"), "repeated"),
            ),
        ),
        Panel(
            "Compression by stream",
            "Bytes of JSON for one byte of Parquet, over an hour. Rare streams have small files, which "
            "compress badly and matter little.",
            "none",
            (Query("max by (stream) (archive:commit_compression:ratio1h)", "{{stream}}"),),
            width=8,
            alert="CompressionPoor",
        ),
        Panel(
            "Free space on the archive's disk",
            "Free bytes and size of the archive's disk, and the reserve below which the ingester pauses.",
            "bytes",
            (
                Query("min(archive_commit_disk_free_bytes)", "free"),
                Query("max(archive_commit_disk_size_bytes)", "size"),
                Query("max(archive_commit_disk_reserve_bytes)", "reserve"),
            ),
            width=8,
            alert="DiskLow",
        ),
        Panel(
            "Time until the archive's disk is full",
            "At the rate of the last six hours, whatever fills it; at most a year.",
            "s",
            (
                Query(
                    "clamp_max(min(archive_commit_disk_free_bytes) / "
                    "clamp_min(-min(deriv(archive_commit_disk_free_bytes[6h])), 1), 31536000)",
                    "left",
                ),
            ),
            width=8,
            alert="DiskFilling",
        ),
        Panel(
            "Hours merged and swapped in",
            "In the last hour: hours of a stream that the compactor merged, manifests that the writer "
            "processed, and swaps that failed on the disk. Merged but not swapped: claims do not finish.",
            "short",
            (
                Query("sum(increase(archive_compact_hours_total[1h]))", "merged"),
                Query("sum by (step) (increase(archive_commit_swaps_total[1h]))", "{{step}}"),
                Query("sum(increase(archive_commit_swap_failures_total[1h]))", "failed on the disk"),
            ),
            width=12,
        ),
        Panel(
            "Rows removed and hours refused",
            "Rows omitted in a day: duplicates of an event, after Redis lost its data or the host changed, "
            "or deleted ones, with COMPACT_APPLY_DELETIONS. Hours with a damaged or unknown file are not "
            "merged: `archive verify` names it. The writer logs each file that its ledger could not read "
            "(`commit.unreadable`).",
            "short",
            (
                Query("sum(increase(archive_compact_duplicates_total[1d]))", "duplicates in a day"),
                Query("sum(increase(archive_compact_deleted_total[1d]))", "deleted in a day"),
                Query("max(archive_compact_refused_hours)", "hours refused"),
                Query("max(archive_commit_unreadable_files)", "files unreadable to the ledger"),
            ),
            width=12,
        ),
    ),
)
