"""receive, validate, buffer: Jetstream to Redis."""
