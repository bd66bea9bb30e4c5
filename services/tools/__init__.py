"""The `archive` command: what a person asks of the files, and mends in them."""
