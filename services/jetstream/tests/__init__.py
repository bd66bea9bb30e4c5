"""Tests of the ingester, one file per module."""
