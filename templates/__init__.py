"""Jinja2 templates: cloud-init, reports."""
