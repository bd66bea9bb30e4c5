"""Tests of the shared modules, one file per module."""
