"""The contestants of path 2: programs that write Parquet and print their figures as JSON."""
