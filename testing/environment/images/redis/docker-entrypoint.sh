#!/bin/sh
# Root becomes the user redis, as in the official image; the first word is the program.
set -eu
[ "$(id -u)" != 0 ] || exec setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
umask 077
exec "$@"
