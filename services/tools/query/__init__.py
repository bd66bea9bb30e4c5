"""What the archive holds: parts, rows, coverage, gaps and figures, with DuckDB and from the file names."""
