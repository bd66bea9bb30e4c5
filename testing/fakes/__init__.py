"""Servers that speak the protocol of what cannot be had here: Jetstream, segments, Hetzner, a machine, S3."""
