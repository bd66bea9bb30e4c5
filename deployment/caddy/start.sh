#!/bin/sh
# Caddy needs a hash, and the secret file holds a password: the hash is computed here, only for this process.
set -eu
READER_HASH=$(caddy hash-password <"${READER_PASSWORD_FILE:-/run/secrets/archive_reader}")
export READER_HASH
exec caddy run --config "${CADDYFILE:-/etc/caddy/Caddyfile}" --adapter caddyfile
