#!/bin/sh
# The container's health check: PING as the user health; prints the reply.
REDISCLI_AUTH=$(tr -d '\r\n' </run/secrets/redis_health)
export REDISCLI_AUTH
reply=$(redis-cli --no-auth-warning --user health -t 2 ping 2>&1)
echo "$reply"
[ "$reply" = PONG ]
