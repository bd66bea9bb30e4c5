#!/bin/sh
# The container's health check: PING as the user health; says what the server says.
REDISCLI_AUTH=$(tr -d '\r\n' </run/secrets/redis_health)
export REDISCLI_AUTH
said=$(redis-cli --no-auth-warning --user health -t 2 ping 2>&1)
echo "$said"
[ "$said" = PONG ]
