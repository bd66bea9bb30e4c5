"""Reads Jetstream v2's archive of segments.

Its HTTP API, the file format, and rows as events of the v1 wire.
"""
