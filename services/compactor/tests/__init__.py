"""Tests of the compactor."""
