#!/bin/sh
# Caddy wants a hash where the secret file has a password: it is made here, and nothing but this process knows it.
set -eu
READER_HASH=$(caddy hash-password <"${READER_PASSWORD_FILE:-/run/secrets/archive_reader}")
export READER_HASH
exec caddy run --config "${CADDYFILE:-/etc/caddy/Caddyfile}" --adapter caddyfile
