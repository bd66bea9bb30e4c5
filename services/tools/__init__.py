"""The `archive` command: reads, checks, copies and repairs an archive."""
