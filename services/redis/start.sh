#!/bin/sh
# Writes users.acl from the secrets, checks settings and volume, and starts the server.
set -eu

stop() {
    echo "redis: $*" >&2
    exit 1
}

bytes() { # a size as redis.conf reads it: 2gb = 2 * 1024^3, 2g = 2 * 1000^3
    echo "$1" | tr '[:upper:]' '[:lower:]' | awk '
        !/^[0-9]+(b|k|kb|m|mb|g|gb)?$/ { exit 1 }
        { power["k"] = power["kb"] = 1; power["m"] = power["mb"] = 2; power["g"] = power["gb"] = 3
          unit = $0; gsub(/[0-9]/, "", unit); base = unit ~ /b$/ ? 1024 : 1000
          printf "%d", ($0 + 0) * base ^ (power[unit] + 0) }'
}

memory_limit() { # of this container, with cgroups v1 or v2; empty without a limit
    cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null \
        | awk '/^[0-9]+$/ && $1 < 2 ^ 60 { print; exit }'
}

[ -w /data ] || stop "/data cannot be written by user $(id -u); correct its owner with: chown -R $(id -u):$(id -g) on it"

ceiling=$(bytes "$REDIS_MAXMEMORY") || stop "REDIS_MAXMEMORY is '$REDIS_MAXMEMORY'; give a size such as 2gb"
[ "$ceiling" -ge 67108864 ] || stop "REDIS_MAXMEMORY is '$REDIS_MAXMEMORY'; a buffer needs at least 64mb"
limit=$(memory_limit)
if [ -n "$limit" ] && [ $((ceiling * 3 / 2)) -gt "$limit" ]; then
    stop "REDIS_MAXMEMORY of $REDIS_MAXMEMORY needs a container of 1.5 times as much: raise REDIS_MEMORY_LIMIT"
fi

umask 077
users=$(grep -v "^#" /etc/redis/users.acl)
for role in ingester writer tools exporter health; do
    secret=/run/secrets/redis_$role
    [ -r "$secret" ] || stop "the secret redis_$role cannot be read; run: make secrets"
    password=$(tr -d '\r\n' <"$secret")
    [ "${#password}" -ge 16 ] || stop "the secret redis_$role is a placeholder or too short; delete it and run: make secrets"
    hash=$(printf %s "$password" | sha256sum | cut -d ' ' -f 1)
    users=$(printf %s "$users" | sed "s/{$role}/$hash/")
done
printf '%s\n' "$users" >/run/redis/users.acl

exec redis-server /etc/redis/redis.conf --maxmemory "$REDIS_MAXMEMORY"
