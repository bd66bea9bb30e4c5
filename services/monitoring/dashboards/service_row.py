"""What each service takes of the machine."""

from __future__ import annotations

from services.monitoring.dashboards.page import REDIS_CPU, Panel, Query, Row, per_second

SERVICES = Row(
    "By service",
    (
        Panel(
            "Processor by service",
            "Share of one processor; 1 is all of it, and a Python daemon uses little more.",
            "percentunit",
            (
                Query(per_second("process_cpu_seconds_total", "job"), "{{job}}"),
                Query(
                    REDIS_CPU,
                    "redis server",
                ),
            ),
            width=8,
            stacked=True,
        ),
        Panel(
            "Memory by service",
            "Bytes of the machine's memory that each service holds; each container has its own limit.",
            "bytes",
            (
                Query("sum by (job) (process_resident_memory_bytes)", "{{job}}"),
                Query("sum(redis_memory_used_rss_bytes)", "redis server"),
            ),
            width=8,
            stacked=True,
        ),
        Panel(
            "Answering",
            "1 for each service that Prometheus could ask at its last try.",
            "short",
            (Query("min by (job) (up)", "{{job}}"),),
            width=8,
            at_most=1.0,
            alert="TargetDown",
        ),
        Panel(
            "Open files by service",
            "A slope that never comes down is a leak.",
            "short",
            (Query("sum by (job) (process_open_fds)", "{{job}}"),),
            width=6,
        ),
        Panel(
            "Starts",
            "How often each service was started anew, an hour.",
            "short",
            (Query("sum by (job) (changes(process_start_time_seconds[1h]))", "{{job}}"),),
            width=6,
        ),
        Panel(
            "Prometheus' disk",
            "Bytes of its store; 30 days are kept, within a bound of size.",
            "bytes",
            (
                Query(
                    "max(prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes)",
                    "store",
                ),
            ),
            width=6,
        ),
        Panel(
            "Notifications",
            "An hour: sent to people by Alertmanager, and failed. Failing ones mean that nobody is told.",
            "short",
            (
                Query("sum(increase(alertmanager_notifications_total[1h]))", "sent"),
                Query("sum(increase(alertmanager_notifications_failed_total[1h]))", "failed"),
            ),
            width=6,
        ),
    ),
)
