"""Copies of closed hours in a bucket, and reading them beside what lies here."""
