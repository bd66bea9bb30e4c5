"""Tests of the writer; each file tests the module of the same name."""
