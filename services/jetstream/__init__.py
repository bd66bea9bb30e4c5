"""The ingester: receives events from Jetstream, validates them and buffers them in Redis."""
