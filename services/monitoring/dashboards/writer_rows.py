"""The rows of the writer's words: claim, encode, commit."""

from __future__ import annotations

from services.monitoring.dashboards.page import GREEN, RED, Panel, Query, Row, per_second, quantiles

CLAIM = Row(
    "claim: what the writer takes",
    (
        Panel(
            "Claims by stream",
            "Buffers taken a minute: each stream once in the writer's interval, if it has anything.",
            "cpm",
            (Query("60 * " + per_second("archive_claim_taken_total", "stream"), "{{stream}}"),),
            stacked=True,
        ),
        Panel(
            "Longest wait by stream",
            "How long the oldest waiting event has been seen to wait. Past two intervals the writer stalls.",
            "s",
            (
                Query("max by (stream) (archive_buffer_wait_seconds)", "{{stream}}"),
                Query("2 * max(archive_claim_interval_seconds) + 60", "alarm"),
            ),
            alert="WriterStalled",
        ),
        Panel(
            "Claims recovered",
            "Claims that an earlier writer left and this one finished, in the last hour: it was killed, or "
            "lost Redis.",
            "short",
            (Query("sum by (stream) (increase(archive_claim_recovered_total[1h]))", "{{stream}}"),),
            stacked=True,
        ),
        Panel(
            "Epoch",
            "One more whenever Redis' data was lost or a backup restored; repeats may remain after such a "
            "step.",
            "short",
            (Query("max(archive_claim_epoch)", "epoch"),),
            decimals=0,
        ),
    ),
)

ENCODE = Row(
    "encode: JSON becomes columns",
    (
        Panel(
            "Time to encode a chunk",
            "A rise with the same traffic means a starved processor.",
            "s",
            quantiles("archive_encode_seconds"),
        ),
        Panel(
            "Chunks encoded",
            "Chunks a minute: the pieces that a claim is encoded and committed in.",
            "cpm",
            (Query("60 * " + per_second("archive_encode_seconds_count"), "chunks"),),
        ),
        Panel(
            "Share of a processor",
            "Part of one processor that encoding takes; near 1 the writer cannot keep up.",
            "percentunit",
            (Query(per_second("archive_encode_seconds_sum"), "encoding"),),
            steps=((None, GREEN), (0.8, RED)),
        ),
        Panel(
            "Set aside, and type_mismatches",
            "In the last hour: events that could not be encoded (a defect of ours), and values of a wrong "
            "type, which are kept in `extra` (a lexicon changed).",
            "short",
            (
                Query("sum(increase(archive_encode_rejects_total[1h]))", "set aside"),
                Query("sum(increase(archive_encode_type_mismatches_total[1h]))", "type_mismatches"),
            ),
            alert="RejectRatioHigh",
        ),
    ),
)

COMMIT = Row(
    "commit: what is in the archive for good",
    (
        Panel(
            "Rows committed by stream",
            "Rows a second; in step with what was pushed, an interval later.",
            "rowsps",
            (Query(per_second("archive_commit_rows_total", "stream"), "{{stream}}"),),
            stacked=True,
            flows=True,
        ),
        Panel(
            "Bytes in and out",
            "JSON that came, and Parquet that it became, a second.",
            "Bps",
            (
                Query(per_second("archive_commit_raw_bytes_total"), "JSON"),
                Query(per_second("archive_commit_stored_bytes_total"), "Parquet"),
            ),
            flows=True,
        ),
        Panel(
            "Time to make a chunk durable",
            "Written, synced, checked, renamed. A rise means a slow disk under the archive.",
            "s",
            quantiles("archive_commit_seconds"),
        ),
        Panel(
            "Files, and rounds broken off",
            "Parquet files a minute, and rounds a minute that were begun again: Redis was away or the disk "
            "full.",
            "cpm",
            (
                Query("60 * " + per_second("archive_commit_parts_total"), "files"),
                Query("60 * " + per_second("archive_commit_retries_total"), "broken off"),
            ),
        ),
        Panel(
            "Compression by stream",
            "Bytes of JSON that one byte of Parquet holds, over an hour. Rare streams make small files, "
            "which compress badly and matter little.",
            "none",
            (Query("max by (stream) (archive:commit_compression:ratio1h)", "{{stream}}"),),
            width=8,
            alert="CompressionPoor",
        ),
        Panel(
            "Room on the archive's disk",
            "Free bytes on the archive's disk, of how many, and the reserve below which the ingester pauses.",
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
            "Time until that disk is full",
            "At the pace of the last six hours, whoever fills it; at most a year.",
            "s",
            (
                Query(
                    "clamp_max(min(archive_commit_disk_free_bytes) "
                    "/ clamp_min(-min(deriv(archive_commit_disk_free_bytes[6h])), 1), 31536000)",
                    "left",
                ),
            ),
            width=8,
            alert="DiskFilling",
        ),
        Panel(
            "Hours merged, and swapped in",
            "In the last hour: hours of a stream that the compactor merged, manifests that the writer dealt "
            "with, and swaps that the disk refused. Merged and not swapped: the claims do not end.",
            "short",
            (
                Query("sum(increase(archive_compact_hours_total[1h]))", "merged"),
                Query("sum by (step) (increase(archive_commit_swaps_total[1h]))", "{{step}}"),
                Query("sum(increase(archive_commit_swap_failures_total[1h]))", "refused by the disk"),
            ),
            width=12,
        ),
        Panel(
            "Rows removed, and hours refused",
            "Rows left out in a day because their event was there already: after Redis' data was lost, or "
            "another host; or because it was deleted, where COMPACT_APPLY_DELETIONS says so. "
            "Hours with a damaged or strange file are not merged: `archive verify` names it. The writer logs "
            "each file that its ledger could not read (`commit.unreadable`).",
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
