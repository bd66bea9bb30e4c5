"""An archive of any size, made like a writer's but without Redis or network, and queries on it."""
