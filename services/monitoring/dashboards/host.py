"""The machine: processor, memory, disks and network, and their use by service."""

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

REAL = 'fstype!~"tmpfs|overlay|squashfs|ramfs|nsfs"'
DISKS = 'device!~"loop.+|ram.+|sr.+|dm-.+"'

STATE = Row(
    "The machine",
    (
        stat(
            "Processor in use",
            "Share of all processors that is not idle, over five minutes.",
            "percentunit",
            (Query("max(archive:host_cpu:ratio5m)", "in use"),),
            steps=((None, GREEN), (0.7, YELLOW), (0.9, RED)),
            decimals=0,
            alert="HostCpuHigh",
        ),
        stat(
            "Memory in use",
            "Share of memory that is not available without swapping.",
            "percentunit",
            (Query("max(archive:host_memory:ratio)", "in use"),),
            steps=((None, GREEN), (0.8, YELLOW), (0.9, RED)),
            decimals=0,
            alert="HostMemoryHigh",
        ),
        stat(
            "Fullest disk",
            "Used share of the fullest file system.",
            "percentunit",
            (
                Query(
                    f"1 - min(node_filesystem_avail_bytes{{{REAL}}} / node_filesystem_size_bytes{{{REAL}}})",
                    "in use",
                ),
            ),
            steps=((None, GREEN), (0.8, YELLOW), (0.9, RED)),
            decimals=0,
            alert="DiskLow",
        ),
        stat(
            "Load per processor",
            "Processes that run or wait, per processor, over a minute. Above 1 they wait for each other.",
            "short",
            (Query('max(node_load1) / count(node_cpu_seconds_total{mode="idle"})', "load"),),
            steps=((None, GREEN), (1.0, YELLOW), (2.0, RED)),
            decimals=2,
            alert="HostCpuHigh",
        ),
        stat(
            "Killed for memory, 24 h",
            "Processes that the kernel killed because memory ran out; Redis is last.",
            "short",
            (Query("round(sum(increase(node_vmstat_oom_kill[24h])))", "killed", instant=True),),
            steps=((None, GREEN), (1.0, RED)),
            decimals=0,
            alert="HostMemoryHigh",
        ),
        stat(
            "Up since",
            "How long the machine has been running.",
            "s",
            (Query("max(node_time_seconds - node_boot_time_seconds)", "up"),),
            steps=((None, YELLOW), (3600.0, BLUE)),
            decimals=0,
        ),
    ),
)

USE = Row(
    "Processor, memory, disks, network",
    (
        Panel(
            "Processor by mode",
            "Share of all processors. `steal` is time that the hypervisor gave to other machines, `iowait` "
            "waiting for a disk.",
            "percentunit",
            (
                Query(
                    'avg by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval]))', "{{mode}}"
                ),
            ),
            width=8,
            stacked=True,
            at_most=1.0,
            alert="HostCpuHigh",
        ),
        Panel(
            "Memory",
            "In use, available (free or page cache), and total.",
            "bytes",
            (
                Query("max(node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)", "in use"),
                Query("max(node_memory_MemAvailable_bytes)", "available"),
                Query("max(node_memory_MemTotal_bytes)", "total"),
            ),
            width=8,
            alert="HostMemoryHigh",
        ),
        Panel(
            "Disk space in use",
            "Used share by file system; one with several mounts is counted once.",
            "percentunit",
            (
                Query(
                    f"max by (device) (1 - node_filesystem_avail_bytes{{{REAL}}} "
                    f"/ node_filesystem_size_bytes{{{REAL}}})",
                    "{{device}}",
                ),
            ),
            width=8,
            at_most=1.0,
            steps=((None, GREEN), (0.8, YELLOW), (0.9, RED)),
            alert="DiskFilling",
        ),
        Panel(
            "Disk bytes",
            "Bytes a second by disk, read and written.",
            "Bps",
            (
                Query(per_second(f"node_disk_read_bytes_total{{{DISKS}}}", "device"), "{{device}} read"),
                Query(
                    per_second(f"node_disk_written_bytes_total{{{DISKS}}}", "device"), "{{device}} written"
                ),
            ),
            width=8,
        ),
        Panel(
            "Disk busy",
            "Share of time in which a disk was busy; near 1 every sync waits.",
            "percentunit",
            (Query(per_second(f"node_disk_io_time_seconds_total{{{DISKS}}}", "device"), "{{device}}"),),
            width=8,
            steps=((None, GREEN), (0.9, RED)),
        ),
        Panel(
            "Network",
            "Bytes a second by interface, in and out.",
            "Bps",
            (
                Query(
                    per_second('node_network_receive_bytes_total{device!~"lo|veth.+|br-.+"}', "device"),
                    "{{device}} in",
                ),
                Query(
                    per_second('node_network_transmit_bytes_total{device!~"lo|veth.+|br-.+"}', "device"),
                    "{{device}} out",
                ),
            ),
            width=8,
        ),
    ),
)

SERVICES = Row(
    "By service",
    (
        Panel(
            "Processor by service",
            "Share of one processor; a Python daemon uses little more than 1.",
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
            "Resident bytes of each service; each container has its own limit.",
            "bytes",
            (
                Query("sum by (job) (process_resident_memory_bytes)", "{{job}}"),
                Query("sum(redis_memory_used_rss_bytes)", "redis server"),
            ),
            width=8,
            stacked=True,
        ),
        Panel(
            "Targets up",
            "1 for each service that answered Prometheus' last scrape.",
            "short",
            (Query("min by (job) (up)", "{{job}}"),),
            width=8,
            at_most=1.0,
            alert="TargetDown",
        ),
        Panel(
            "Open files by service",
            "A lasting rise is a leak.",
            "short",
            (Query("sum by (job) (process_open_fds)", "{{job}}"),),
            width=6,
        ),
        Panel(
            "Restarts",
            "Restarts of each service an hour.",
            "short",
            (Query("sum by (job) (changes(process_start_time_seconds[1h]))", "{{job}}"),),
            width=6,
        ),
        Panel(
            "Prometheus' disk",
            "Bytes of its data; 30 days are kept, within a limit of size.",
            "bytes",
            (
                Query(
                    "max(prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes)",
                    "data",
                ),
            ),
            width=6,
        ),
        Panel(
            "Notifications",
            "Sent by Alertmanager and failed, an hour. Failed ones have not reached anybody.",
            "short",
            (
                Query("sum(increase(alertmanager_notifications_total[1h]))", "sent"),
                Query("sum(increase(alertmanager_notifications_failed_total[1h]))", "failed"),
            ),
            width=6,
        ),
    ),
)

HOST = Page(
    "host",
    "Host",
    "The machine's processor, memory, disks and network, and their use by each service.",
    (STATE, USE, SERVICES),
)
