"""Reads an interval again, from hosts or an archive of segments, and pushes events that the archive lacks."""
