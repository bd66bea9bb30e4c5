"""Checks parts and whole archives."""
