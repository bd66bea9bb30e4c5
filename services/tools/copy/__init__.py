"""Copies parts from other archives, and manifests of snapshots."""
