"""Tests of provision: its pure parts, and the whole of it against a fake of the API."""
