"""Tests of the Redis that Compose starts."""
