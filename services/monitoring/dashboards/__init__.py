"""What Grafana shows, as data; `python -m services.monitoring.dashboards` writes its files from it."""
