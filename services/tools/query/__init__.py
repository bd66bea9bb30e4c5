"""Reads an archive: parts, rows, coverage, gaps and figures."""
