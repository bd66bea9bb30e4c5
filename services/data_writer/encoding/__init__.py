"""Encode: the JSON of a chunk's events becomes Arrow tables."""
