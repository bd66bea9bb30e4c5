"""Grafana's dashboards as data; `python -m services.monitoring.dashboards` writes their JSON files."""
