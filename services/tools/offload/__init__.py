"""Copies closed hours to a bucket, and reads files that are only there."""
