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
)

MEMORY = "redis_memory_used_bytes / redis_memory_max_bytes"

STATE = Row(
    "Does it work?",
    (
        Panel(
            "Redis",
            "Whether it answers its exporter.",
            "short",
            (Query("min(redis_up)", "up"),),
            kind="stat",
            width=4,
            steps=((None, RED), (1.0, GREEN)),
            words=((0.0, "DOWN", RED), (1.0, "up", GREEN)),
            alert="RedisDown",
        ),
        Panel(
            "Append-only file",
            "Whether it is on, and its last write and last rewrite went well. Without it an acknowledged "
            "event may be lost.",
            "short",
            (
                Query(
                    "min(redis_aof_last_write_status * redis_aof_last_bgrewrite_status * redis_aof_enabled)",
                    "works",
                ),
            ),
            kind="stat",
            width=4,
            steps=((None, RED), (1.0, GREEN)),
            words=((0.0, "FAILING", RED), (1.0, "works", GREEN)),
            alert="AofFailing",
        ),
        Panel(
            "Last snapshot",
            "Whether the last one went well. It is the second copy; the append-only file is the truth.",
            "short",
            (Query("min(redis_rdb_last_bgsave_status)", "works"),),
            kind="stat",
            width=4,
            steps=((None, YELLOW), (1.0, GREEN)),
            words=((0.0, "FAILED", YELLOW), (1.0, "works", GREEN)),
        ),
        Panel(
            "Memory full",
            "Share of maxmemory in use. The ingester pauses at 75 %; 80 % is an alert.",
            "percentunit",
            (Query(f"max({MEMORY})", "full"),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (0.65, YELLOW), (0.8, RED)),
            decimals=1,
            alert="RedisMemoryHigh",
        ),
        Panel(
            "Evicted keys",
            "Must stay 0: an evicted key is lost events.",
            "short",
            (Query("sum(redis_evicted_keys_total)", "evicted"),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (1.0, RED)),
            decimals=0,
        ),
        Panel(
            "Up since",
            "How long Redis has been running.",
            "s",
            (Query("min(redis_uptime_in_seconds)", "up"),),
            kind="stat",
            width=4,
            steps=((None, YELLOW), (300.0, BLUE)),
            decimals=0,
        ),
    ),
)

HOLDS = Row(
    "What it holds",
    (
        Panel(
            "Memory",
            "What events take, the most they may take, and what the process takes of the machine.",
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
            "Elements in each list: a saw-tooth of the writer's interval.",
            "short",
            (Query('max by (key) (redis_key_size{key=~"archive:buffer:.+"})', "{{key}}"),),
            width=8,
            stacked=True,
            alert="WriterStalled",
        ),
        Panel(
            "Pushes remembered",
            "Pushes whose events a repeat would be recognised by; trimmed by time.",
            "short",
            (Query('max(redis_key_size{key="archive:recent"})', "pushes"),),
            width=8,
        ),
    ),
)

WORK = Row(
    "What it does",
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
            "Time a command takes",
            "Mean over all calls, by name, the ten longest. EXEC carries a push and its sync to the disk.",
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
            "Calls refused or failed",
            "A second. OOM refusals are the ingester pausing; anything else needs a look at the log.",
            "ops",
            (
                Query(per_second("redis_commands_rejected_calls_total"), "refused"),
                Query(per_second("redis_commands_failed_calls_total"), "failed"),
            ),
            width=8,
        ),
        Panel(
            "Clients",
            "Connections: ingester, writer, exporter, health and tools; and those refused in the last hour.",
            "short",
            (
                Query("max(redis_connected_clients)", "connected"),
                Query("max(redis_blocked_clients)", "blocked"),
                Query("sum(increase(redis_rejected_connections_total[1h]))", "refused"),
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
            "Share of a processor, by Redis itself and by its children, which rewrite and snapshot.",
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
    "What reaches its disk",
    (
        Panel(
            "Size of the append-only file",
            "Grows with each push, and falls at a rewrite, when it has doubled since the last.",
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
            "How long the last fork for a rewrite or a snapshot stopped the server.",
            "s",
            (Query("max(redis_latest_fork_seconds)", "last fork"),),
            width=8,
        ),
        Panel(
            "Copied during the last rewrite or snapshot",
            "Memory beside maxmemory that the container must have room for.",
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
    "The buffer's server: whether it answers, how full it is, what it does, and whether all of it is on "
    "disk.",
    (STATE, HOLDS, WORK, DISK),
)
