"""Jetstream v2's archive of segments: what lies where in it, and its rows as events of the v1 wire."""
