"""Pure: how a machine's memory is shared out; all limits together leave an eighth and more to the kernel."""

from __future__ import annotations

from deployment.provision.refusal import Refused

LEAST_MEMORY_MB = 4096
LEAST_CORES = 2
LEAST_DISK_GB = 80
MOST_SHARE = 0.85
"""Of the machine's memory, for the limits of all containers together."""
MERGES_FROM_MB = 7600
"""Of memory, as machines with 8 GB have it; below, closed hours are not merged."""
WRITING_MB = 520
"""What the compactor takes beside its sorting, measured on big hours."""
FORK = 1.5
"""Redis refuses to start with less memory than this times its maxmemory: a fork copies pages."""


def sizes(memory_mb: int) -> dict[str, str]:
    """Return Compose's variables for a machine; raises Refused for one that is too small."""
    if memory_mb < LEAST_MEMORY_MB:
        raise Refused(
            f"{memory_mb} MB of memory are too few; choose a server_type with {LEAST_MEMORY_MB} MB or more"
        )
    redis = memory_mb // 4
    shares = {
        "REDIS_MEMORY_LIMIT": int(redis * FORK),
        "JETSTREAM_MEMORY_LIMIT": min(memory_mb // 16, 768),
        "DATA_WRITER_MEMORY_LIMIT": min(memory_mb // 8, 1536),
        "COMPACTOR_MEMORY_LIMIT": _compactor(memory_mb),
        "PROMETHEUS_MEMORY_LIMIT": min(memory_mb // 16, 1024),
        "GRAFANA_MEMORY_LIMIT": min(memory_mb // 20, 512),
        "CADDY_MEMORY_LIMIT": min(memory_mb // 64, 256),
    }
    # Sorting an hour takes this and half a GB more; a small machine keeps its parts as they are.
    sorting = max(0, shares["COMPACTOR_MEMORY_LIMIT"] - WRITING_MB)
    return {
        "REDIS_MAXMEMORY": f"{redis}mb",
        "COMPACT_MEMORY_MB": str(min(sorting, 384)),
        **{name: f"{size}m" for name, size in shares.items()},
    }


def _compactor(memory_mb: int) -> int:
    """Return the compactor's limit: all that it can use, or so much that it counts and does not merge."""
    return min(memory_mb // 12, 1536) if memory_mb >= MERGES_FROM_MB else 192
