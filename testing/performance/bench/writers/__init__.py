"""Path 2's contestants, each a program of its own that writes Parquet and prints its figures as JSON."""
