"""Erases the rows of an account from all files of an archive."""
