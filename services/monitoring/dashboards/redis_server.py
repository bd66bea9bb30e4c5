"""Redis itself: does it answer, how full is it, does everything reach its disk."""

from __future__ import annotations

from services.monitoring.dashboards.page import (
    BLUE,
    GREEN,
    RED,
    REDIS_CPU,
    YELLOW,
    Page,
    Panel,
    Query,
    Row,
    per_second,
    stat,
)

MEMORY = "redis_memory_used_bytes / redis_memory_max_bytes"

STATE = Row(
    "Does it work?",
    (
        stat(
            "Redis",
            "Whether Redis answers its exporter.",
            "short",
            (Query("min(redis_up)", "up"),),
            steps=((None, RED), (1.0, GREEN)),
            words=((0.0, "DOWN", RED), (1.0, "up", GREEN)),
            alert="RedisDown",
        ),
        stat(
            "Append-only file",
            "Whether it is on, and its last write and last rewrite succeeded. Without it an acknowledged "
            "event may be lost.",
            "short",
            (
                Query(
                    "min(redis_aof_last_write_status * redis_aof_last_bgrewrite_status * redis_aof_enabled)",
                    "works",
                ),
            ),
            steps=((None, RED), (1.0, GREEN)),
            words=((0.0, "FAILING", RED), (1.0, "works", GREEN)),
            alert="AofFailing",
        ),
        stat(
            "Last snapshot",
            "Whether the last snapshot succeeded. It is a second copy; Redis loads the append-only file.",
            "short",
            (Query("min(redis_rdb_last_bgsave_status)", "works"),),
            steps=((None, YELLOW), (1.0, GREEN)),
            words=((0.0, "FAILED", YELLOW), (1.0, "works", GREEN)),
        ),
        stat(
            "Memory full",
            "Share of maxmemory in use. The ingester pauses at 75 %; an alert fires above 80 %.",
            "percentunit",
            (Query(f"max({MEMORY})", "full"),),
            steps=((None, GREEN), (0.65, YELLOW), (0.8, RED)),
            decimals=1,
            alert="RedisMemoryHigh",
        ),
        stat(
            "Evicted keys",
            "Must be 0: an evicted key is lost events.",
            "short",
            (Query("sum(redis_evicted_keys_total)", "evicted"),),
            steps=((None, GREEN), (1.0, RED)),
            decimals=0,
        ),
        stat(
            "Up since",
            "How long Redis has been running.",
            "s",
            (Query("min(redis_uptime_in_seconds)", "up"),),
            steps=((None, YELLOW), (300.0, BLUE)),
            decimals=0,
        ),
    ),
)

HOLDS = Row(
    "Contents",
    (
        Panel(
            "Memory",
            "Memory of the data, its limit, and resident memory of the process.",
            "bytes",
            (
                Query("max(redis_memory_used_bytes)", "used"),
                Query("max(redis_memory_max_bytes)", "maxmemory"),
                Query("max(redis_memory_used_rss_bytes)", "resident"),
            ),
            width=8,
            alert="RedisMemoryHigh",
        ),
        Panel(
            "Waiting by stream",
            "Events in each list: a saw-tooth of the writer's interval.",
            "short",
            (Query('max by (key) (redis_key_size{key=~"archive:buffer:.+"})', "{{key}}"),),
            width=8,
            stacked=True,
            alert="WriterStalled",
        ),
        Panel(
            "Recent pushes",
            "Pushes in the dedup window, by which duplicates are recognized; trimmed by time.",
            "short",
            (Query('max(redis_key_size{key="archive:recent"})', "pushes"),),
            width=8,
        ),
    ),
)

WORK = Row(
    "Commands and load",
    (
        Panel(
            "Commands",
            "Commands a second by name, the ten most frequent.",
            "ops",
            (Query(f"topk(10, {per_second('redis_commands_total', 'cmd')})", "{{cmd}}"),),
            width=8,
            stacked=True,
        ),
        Panel(
            "Duration by command",
            "Mean of all calls, the ten longest commands. EXEC includes a push and its sync to the disk.",
            "s",
            (
                Query(
                    f"topk(10, {per_second('redis_commands_duration_seconds_total', 'cmd')} "
                    f"/ ({per_second('redis_commands_total', 'cmd')} > 0))",
                    "{{cmd}}",
                ),
            ),
            width=8,
        ),
        Panel(
            "Calls rejected or failed",
            "Calls a second. OOM rejections belong to the pause of the ingester; for others see the log.",
            "ops",
            (
                Query(per_second("redis_commands_rejected_calls_total"), "rejected"),
                Query(per_second("redis_commands_failed_calls_total"), "failed"),
            ),
            width=8,
        ),
        Panel(
            "Clients",
            "Connections of ingester, writer, exporter, health and tools; and those rejected in the last "
            "hour.",
            "short",
            (
                Query("max(redis_connected_clients)", "connected"),
                Query("max(redis_blocked_clients)", "blocked"),
                Query("sum(increase(redis_rejected_connections_total[1h]))", "rejected"),
            ),
            width=8,
        ),
        Panel(
            "Network",
            "Bytes a second in and out.",
            "Bps",
            (
                Query(per_second("redis_net_input_bytes_total"), "in"),
                Query(per_second("redis_net_output_bytes_total"), "out"),
            ),
            width=8,
        ),
        Panel(
            "Processor",
            "Share of a processor, of the server and of its children for rewrites and snapshots.",
            "percentunit",
            (
                Query(
                    REDIS_CPU,
                    "server",
                ),
                Query(
                    f"{per_second('redis_cpu_user_children_seconds_total')} + "
                    f"{per_second('redis_cpu_sys_children_seconds_total')}",
                    "children",
                ),
            ),
            width=8,
        ),
    ),
)

DISK = Row(
    "Disk",
    (
        Panel(
            "Size of the append-only file",
            "Grows with each push; Redis rewrites it when it has doubled since the last rewrite.",
            "bytes",
            (
                Query("max(redis_aof_current_size_bytes)", "now"),
                Query("max(redis_aof_base_size_bytes)", "after the last rewrite"),
            ),
            width=8,
            alert="AofFailing",
        ),
        Panel(
            "Forks",
            "Time that the last fork for a rewrite or a snapshot blocked the server.",
            "s",
            (Query("max(redis_latest_fork_seconds)", "last fork"),),
            width=8,
        ),
        Panel(
            "Copy-on-write of the last rewrite or snapshot",
            "Memory beyond maxmemory that the container must have.",
            "bytes",
            (
                Query("max(redis_aof_last_cow_size_bytes)", "rewrite"),
                Query("max(redis_rdb_last_cow_size_bytes)", "snapshot"),
            ),
            width=8,
        ),
    ),
)

REDIS = Page(
    "redis",
    "Redis",
    "The Redis server: whether it works, memory, commands and disk.",
    (STATE, HOLDS, WORK, DISK),
)
