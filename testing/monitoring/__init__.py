"""Alerts, dashboards and Prometheus, as a test sees them."""
