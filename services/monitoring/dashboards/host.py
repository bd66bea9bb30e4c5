"""The machine's processor, memory, disks and network."""

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
)
from services.monitoring.dashboards.service_row import SERVICES

REAL = 'fstype!~"tmpfs|overlay|squashfs|ramfs|nsfs"'
DISKS = 'device!~"loop.+|ram.+|sr.+|dm-.+"'

STATE = Row(
    "The machine",
    (
        Panel(
            "Processor in use",
            "Share of all processors that is not idle, over five minutes.",
            "percentunit",
            (Query("max(archive:host_cpu:ratio5m)", "in use"),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (0.7, YELLOW), (0.9, RED)),
            decimals=0,
            alert="HostCpuHigh",
        ),
        Panel(
            "Memory in use",
            "Share that no program could have without swapping.",
            "percentunit",
            (Query("max(archive:host_memory:ratio)", "in use"),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (0.8, YELLOW), (0.9, RED)),
            decimals=0,
            alert="HostMemoryHigh",
        ),
        Panel(
            "Fullest disk",
            "Share in use of the fullest file system.",
            "percentunit",
            (
                Query(
                    f"1 - min(node_filesystem_avail_bytes{{{REAL}}} / node_filesystem_size_bytes{{{REAL}}})",
                    "in use",
                ),
            ),
            kind="stat",
            width=4,
            steps=((None, GREEN), (0.8, YELLOW), (0.9, RED)),
            decimals=0,
            alert="DiskLow",
        ),
        Panel(
            "Load a processor",
            "Programs that run or wait, per processor, over a minute. Above 1 they wait for each other.",
            "short",
            (Query('max(node_load1) / count(node_cpu_seconds_total{mode="idle"})', "load"),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (1.0, YELLOW), (2.0, RED)),
            decimals=2,
            alert="HostCpuHigh",
        ),
        Panel(
            "Killed for memory, 24 h",
            "Programs that the kernel ended for want of memory. Redis goes last.",
            "short",
            (Query("round(sum(increase(node_vmstat_oom_kill[24h])))", "killed", instant=True),),
            kind="stat",
            width=4,
            steps=((None, GREEN), (1.0, RED)),
            decimals=0,
            alert="HostMemoryHigh",
        ),
        Panel(
            "Up since",
            "How long the machine has been running.",
            "s",
            (Query("max(node_time_seconds - node_boot_time_seconds)", "up"),),
            kind="stat",
            width=4,
            steps=((None, YELLOW), (3600.0, BLUE)),
            decimals=0,
        ),
    ),
)

USE = Row(
    "Processor, memory, disks, network",
    (
        Panel(
            "Processor by what it does",
            "Share of all processors. `steal` is time that the hypervisor gave to others, `iowait` waiting "
            "for a disk.",
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
            "In use without what can be freed at once, that (the page cache), and all there is.",
            "bytes",
            (
                Query("max(node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)", "in use"),
                Query("max(node_memory_MemAvailable_bytes)", "available"),
                Query("max(node_memory_MemTotal_bytes)", "all"),
            ),
            width=8,
            alert="HostMemoryHigh",
        ),
        Panel(
            "Disk space in use",
            "Share by file system; a file system that several mounts show is counted once.",
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
            "Share of the time in which a disk had work; near 1 every sync waits.",
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

HOST = Page(
    "host",
    "Host",
    "The machine's processor, memory, disks and network, and what each service takes of them.",
    (STATE, USE, SERVICES),
)
