"""Tests of provision: its pure parts, and all of it against a server that speaks the API."""
