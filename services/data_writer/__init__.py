"""claim, encode, commit: Redis to Parquet."""
