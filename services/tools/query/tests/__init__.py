"""Tests, each the twin of the module beside it."""
