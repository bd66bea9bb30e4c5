"""Reads an interval again from hosts that still keep it, and pushes what the archive lacks."""
