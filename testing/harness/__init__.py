"""What tests run on: Redis, daemons, pipelines and stacks as real processes and containers, and waiting."""
